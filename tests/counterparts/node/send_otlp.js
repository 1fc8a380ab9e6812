// Sends log records as JSON over OTLP/HTTP. usage: send_otlp.js PORT COUNT WORD
const { LoggerProvider, BatchLogRecordProcessor } = require("@opentelemetry/sdk-logs");
const { OTLPLogExporter } = require("@opentelemetry/exporter-logs-otlp-http");

async function main() {
  const [port, count, word] = process.argv.slice(2);
  const exporter = new OTLPLogExporter({ url: `http://127.0.0.1:${port}/v1/logs`, compression: "gzip" });
  const provider = new LoggerProvider({ processors: [new BatchLogRecordProcessor(exporter)] });
  const logger = provider.getLogger("app");
  for (let number = 0; number < Number(count); number++) {
    logger.emit({
      severityNumber: 17,
      severityText: "ERROR",
      body: `${word} number ${number}`,
      attributes: { "http.route": "/orders", attempt: number },
    });
  }
  await provider.forceFlush();
  await provider.shutdown();
}

process.exitCode = 1;
main().then(
  () => process.exit(0),
  (error) => {
    console.error(String(error));
    process.exit(1);
  },
);
