// Sends records over the Fluent forward protocol, and waits until each is acknowledged.
// usage: send.js PORT COUNT WORD MODE [KEY]     modes: Message, Forward, PackedForward, CompressedPackedForward
const { FluentClient } = require("@fluent-org/logger");

async function main() {
  const [port, count, word, eventMode, sharedKey] = process.argv.slice(2);
  const client = new FluentClient("web", {
    eventMode,
    ack: { ackTimeout: 10000 },
    socket: { host: "127.0.0.1", port: Number(port), timeout: 5000, disableReconnect: true },
    flushInterval: 20,
    ...(sharedKey ? { security: { clientHostname: "sender", sharedKey } } : {}),
  });
  await client.connect();
  const sent = Array.from({ length: Number(count) }, (_, number) =>
    client.emit("app", { log: `ERROR ${word} number ${number}`, container_name: "/web" }),
  );
  await Promise.all(sent);
  await client.shutdown();
}

// A client that is refused may just stop: what was not acknowledged was not sent.
process.exitCode = 1;
main().then(
  () => process.exit(0),
  (error) => {
    console.error(String(error));
    process.exit(1);
  },
);
