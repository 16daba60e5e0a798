// A subscriber to metalog's events that needs nothing of metalog but
// docs/subscribing.md: it uses the NATS client alone. It counts events by type and
// keeps a digest of what it has read, in one file with its place, so that each event
// counts once however often the program, the server or the stream is lost.
//
//	npm ci && node main.js --state=state.json --filter='topic.*.SegmentAdded'
import { parseArgs } from "node:util";
import { setTimeout as sleep } from "node:timers/promises";
import { connect } from "@nats-io/transport-node";
import { jetstreamManager } from "@nats-io/jetstream";
import { loadState } from "./state.js";
import { FinalError, Subscriber } from "./subscriber.js";

const retryAfter = 200; // milliseconds
const requestTimeout = 2000;

const { values: flags } = parseArgs({
  options: {
    server: { type: "string", default: "nats://127.0.0.1:4222" },
    cluster: { type: "string", default: "default" },
    state: { type: "string", default: "state.json" },
    filter: { type: "string", default: "" }, // such as 'topic.*.SegmentAdded'; empty: everything
  },
});

let stopping = false;
const stop = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"]) {
  process.on(signal, () => {
    stopping = true;
    stop.abort();
  });
}

const state = loadState(flags.state);
const nc = await connect({
  servers: flags.server,
  maxReconnectAttempts: -1,
  reconnectTimeWait: retryAfter,
  waitOnFirstConnect: true,
});
while (!stopping) {
  try {
    const jsm = await jetstreamManager(nc, { checkAPI: false, timeout: requestTimeout });
    await new Subscriber(jsm, flags.cluster, flags.filter, state, stop.signal).session();
  } catch (err) {
    if (err instanceof FinalError) {
      console.error(err.message);
      process.exit(1);
    }
    if (!stopping) {
      console.error(`${err.message}; trying again`);
      await sleep(retryAfter, undefined, { signal: stop.signal }).catch(() => {});
    }
  }
}
await nc.close();
