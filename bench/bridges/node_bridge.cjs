// A bridge on the usual libraries of Node: mqtt.js, and ioredis with automatic pipelines.
const Redis = require("ioredis");
const mqtt = require("mqtt");

const bus = new Redis({
  host: "127.0.0.1",
  port: Number(process.env.REDIS_PORT),
  enableAutoPipelining: true,
});
const client = mqtt.connect({
  host: "127.0.0.1",
  port: Number(process.env.MQTT_BROKER_PORT),
  protocolVersion: 5,
});

client.on("connect", () => client.subscribe("#", { qos: Number(process.env.QOS) }));
client.on("message", (topic, payload) => {
  const document = {
    type: "message_received",
    topic,
    payload: payload.toString(),
    timestamp: Date.now() / 1000,
  };
  bus.publish("mqtt:messages", JSON.stringify(document));
});
