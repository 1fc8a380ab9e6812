"""Sends logs and metrics with the OpenTelemetry SDK. usage: send_otlp.py grpc|http PORT COUNT WORD [slowly]"""

import logging
import sys
import time

from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource


def exporters(protocol: str, port: str):
    if protocol == "grpc":
        import grpc
        from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
        from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter

        endpoint = f"http://127.0.0.1:{port}"
        logs = OTLPLogExporter(endpoint, insecure=True, compression=grpc.Compression.Gzip)
        return logs, OTLPMetricExporter(endpoint, insecure=True)
    from opentelemetry.exporter.otlp.proto.http import Compression
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter

    endpoint = f"http://127.0.0.1:{port}/v1"
    logs = OTLPLogExporter(f"{endpoint}/logs", compression=Compression.Gzip)
    return logs, OTLPMetricExporter(f"{endpoint}/metrics")


def main() -> None:
    protocol, port, count, word = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
    log_exporter, metric_exporter = exporters(protocol, port)
    task = {"aws.ecs.task.arn": "arn:aws:ecs:eu-central-1:111122223333:task/shop/0123"}
    resource = Resource.create({"service.name": f"web-{protocol}", **task})

    provider = LoggerProvider(resource=resource)
    provider.add_log_record_processor(BatchLogRecordProcessor(log_exporter, schedule_delay_millis=200))
    logger = logging.getLogger("app")
    logger.addHandler(LoggingHandler(logger_provider=provider))
    for number in range(count - 1):
        logger.error("%s number %d", word, number)
        if "slowly" in sys.argv[5:]:
            time.sleep(0.02)
    try:
        raise ValueError("no such table")
    except ValueError:
        logger.exception("%s with an exception", word)
    if not provider.force_flush():
        raise SystemExit("the logs were not taken")

    meters = MeterProvider(resource=resource, metric_readers=[PeriodicExportingMetricReader(metric_exporter)])
    meters.get_meter("app").create_counter("orders", unit="{order}").add(3, {"shop": "north"})
    if not meters.force_flush():
        raise SystemExit("the metrics were not taken")
    meters.shutdown()
    provider.shutdown()


main()
