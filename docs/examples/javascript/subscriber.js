import { AckPolicy, DeliverPolicy } from "@nats-io/jetstream";
import { nanos } from "@nats-io/transport-node";
import { FinalError, before, matches, parseEvents, parseHeaders, show } from "./message.js";

export { FinalError };

const batchSize = 256;
const fetchWait = 1000; // milliseconds
const fetchEnds = fetchWait + 500; // when the client does not end it: it lost its request with the connection
const refillWait = 30_000; // that a publisher may take to fill a stream again that somebody purged
const inactive = 60_000; // after which the server removes a consumer that nobody reads

// Subscriber counts the events of a cluster with one consumer. Its place is found by
// position, never by stream sequence: the stream may have been made anew.
export class Subscriber {
  #jsm;
  #stream;
  #filter = ""; // subject; empty: everything
  #subjects = []; // of the consumer when there is a filter
  #state;
  #signal;

  #created; // when the stream was made
  #epoch; // of the stream
  #fork; // last record of earlier epochs in it
  #handled; // stream sequence of the last message handled
  #count = 0; // of the consumer's messages
  #pending = 0; // messages there, by the last one received

  constructor(jsm, cluster, filter, state, signal) {
    this.#jsm = jsm;
    this.#stream = `METALOG_${cluster}`;
    this.#state = state;
    this.#signal = signal;
    if (filter === "") return;
    const root = `metalog.${cluster}.events.`;
    this.#filter = root + filter;
    this.#subjects = [this.#filter];
    // Marks come every 10,000 records: with them the place of a rare filter moves on.
    const mark = root + "cluster._.DigestRecorded";
    if (!matches(this.#filter, mark)) this.#subjects.push(mark);
  }

  // session reads until something fails, or until it is to stop.
  async session() {
    const info = await this.#jsm.streams.info(this.#stream);
    this.#created = info.created;
    this.#check(info.config.metadata ?? {});
    const at = await this.#locate(info.state);
    const { name } = await this.#jsm.consumers.add(this.#stream, {
      deliver_policy: DeliverPolicy.StartSequence,
      opt_start_seq: at,
      ack_policy: AckPolicy.None,
      filter_subjects: this.#subjects,
      inactive_threshold: nanos(inactive),
      mem_storage: true,
    });
    this.#handled = at - 1;
    await this.#checkFront(); // the consumer might be of another stream than at was found in
    const consumer = await this.#jsm.jetstream().consumers.get(this.#stream, name);
    while (!this.#signal.aborted) await this.#batch(consumer);
  }

  // check compares the stream with the checkpoint.
  #check(metadata) {
    const number = (key, missing) => Number(metadata[key] ?? missing);
    const c = this.#state.checkpoint;
    const logID = metadata.metalog_log_id;
    const fork = (this.#fork = number("metalog_fork_seq", 0));
    const start = number("metalog_start", 1);
    this.#epoch = number("metalog_epoch", 1);
    if (c.log_id !== "" && c.log_id !== logID) {
      throw new FinalError(`the stream is of log ${logID}, what was counted is of log ${c.log_id}; connect to the right server, or begin anew`);
    }
    if (this.#epoch < c.epoch) {
      throw new FinalError(`the stream is of epoch ${this.#epoch}, what was counted is of epoch ${c.epoch}: it shows a log from before its repair; connect to the right server`);
    }
    if (c.log_id !== "" && this.#epoch > c.epoch && c.last.seq > fork) {
      throw new FinalError(`the log was repaired: of what was counted, records ${fork + 1} to ${c.last.seq} are not in it any more; begin anew from a snapshot`);
    }
    if (start > c.next.seq) {
      throw new FinalError(`out of range: event ${show(c.next)} is not in the stream any more, which begins at ${start}.0; begin anew from a snapshot`);
    }
    c.log_id = logID;
    c.epoch = this.#epoch;
  }

  // locate returns the sequence of the first message that reaches beyond the
  // checkpoint, or the one after the last message when that is the next to come.
  async #locate(stream) {
    const { next } = this.#state.checkpoint;
    if (stream.messages === 0) return stream.last_seq + 1;
    const first = await this.#read(stream.first_seq);
    if (before(next, first.first)) {
      throw this.#missing(first.first);
    }
    this.#state.missingSince = undefined;
    let low = stream.first_seq;
    let high = stream.last_seq + 1;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if (before(next, (await this.#read(middle)).next)) high = middle;
      else low = middle + 1;
    }
    for (const seq of [low - 1, low]) { // low: when only a part of the last record was seen
      if (seq >= stream.first_seq && seq <= stream.last_seq) this.#sameRecord(await this.#read(seq));
    }
    return low;
  }

  // missing is for a stream that begins beyond the place without saying that it was
  // trimmed: somebody purged it, and the publisher fills it again, or does not.
  #missing(first) {
    this.#state.missingSince ??= Date.now();
    const what = `event ${show(this.#state.checkpoint.next)} is not in the stream any more, which begins at ${show(first)}`;
    if (Date.now() - this.#state.missingSince < refillWait) return new Error(what);
    return new FinalError(`out of range: ${what}; begin anew from a snapshot`);
  }

  async #read(seq) {
    const msg = await this.#jsm.streams.getMessage(this.#stream, { seq });
    if (msg === null) throw new Error(`stream message ${seq} is gone`);
    return parseHeaders(msg.header);
  }

  // batch reads what is there, or waits for a message, counts the events and saves.
  async #batch(consumer) {
    const batch = [];
    const messages = await consumer.fetch({
      max_messages: Math.min(Math.max(this.#pending, 1), batchSize),
      expires: fetchWait,
      idle_heartbeat: fetchWait / 2,
    });
    const stop = () => messages.stop();
    const deadline = setTimeout(stop, fetchEnds);
    this.#signal.addEventListener("abort", stop, { once: true });
    try {
      for await (const msg of messages) batch.push(msg);
    } finally {
      clearTimeout(deadline);
      this.#signal.removeEventListener("abort", stop);
    }
    if (batch.length === 0) {
      await this.#checkFront(); // a stream that is gone gives nothing, too
      await consumer.info(); // and so does a consumer
      return;
    }
    if (this.#filter !== "") await this.#checkFront();
    for (const msg of batch) this.#handle(msg);
    this.#state.save();
    console.log(show(this.#state.checkpoint.next)); // progress, after it is durable
  }

  // checkFront sees that nothing was removed from the stream before it was read.
  // Without a filter a gap shows it; with one, nothing else does.
  async #checkFront() {
    const { created, state } = await this.#jsm.streams.info(this.#stream);
    if (created !== this.#created) throw new Error("the stream was made anew");
    if (state.first_seq > this.#handled + 1) {
      throw new Error(`stream messages ${this.#handled + 1} to ${state.first_seq - 1} were removed before they were read`); // finding the place again tells why
    }
  }

  // handle counts the events of a message that are wanted and were not counted yet.
  #handle(msg) {
    this.#count++;
    if (msg.info.deliverySequence !== this.#count) {
      throw new Error(`the consumer's message ${msg.info.deliverySequence} came instead of ${this.#count}`);
    }
    const m = parseHeaders(msg.headers);
    const c = this.#state.checkpoint;
    this.#accept(m);
    this.#handled = msg.info.streamSequence;
    this.#pending = msg.info.pending;
    if (!before(c.next, m.next)) return; // a stream that was filled again repeats it
    if (this.#filter === "" || matches(this.#filter, msg.subject)) {
      for (const e of parseEvents(msg)) {
        if (!before(e, c.next)) this.#state.add(e);
      }
    }
    c.next = m.next;
    c.last = { seq: m.first.seq, hash: m.hash };
  }

  // accept sees that a message may follow on what was read.
  #accept(m) {
    const { next } = this.#state.checkpoint;
    if (m.epoch > this.#epoch || (m.epoch < this.#epoch && m.first.seq > this.#fork)) throw new Error(`record ${m.first.seq} is of epoch ${m.epoch}, the stream was of ${this.#epoch}`);
    this.#sameRecord(m);
    if (this.#filter === "" && before(next, m.first)) {
      const missing = `events ${show(next)} to ${show(m.first)} are missing`;
      if (this.#count === 1) throw new FinalError(`${missing} in the stream; its operator has to mend that`);
      throw new Error(missing); // finding the place again tells why
    }
  }

  // sameRecord refuses another record under the seq of the last one seen.
  #sameRecord(m) {
    const c = this.#state.checkpoint;
    if (m.logID !== c.log_id) {
      throw new FinalError(`a message is of log ${m.logID}, the stream of log ${c.log_id}; its operator has to mend that`);
    }
    if (m.first.seq === c.last.seq && m.hash !== c.last.hash) {
      throw new FinalError(`record ${c.last.seq} is another one than was counted: the log's history was changed; begin anew from a snapshot`);
    }
  }
}
