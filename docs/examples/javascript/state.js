import { createHash } from "node:crypto";
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from "node:fs";
import { dirname } from "node:path";

// State is the checkpoint, and what was made of the events before it. They are in one
// file, so that they change together or not at all.
//
// A seq is a number here: it is exact up to 2^53, which a million records a second
// reach after 285 years.
class State {
  checkpoint = {
    log_id: "", // empty: nothing was read yet
    epoch: 0,
    next: { seq: 1, index: 0 }, // the next event wanted
    last: { seq: 0, hash: "" }, // the last record seen; seq 0: none
  };
  events = 0;
  types = {};
  digest = ""; // of all events in their order
  #path;
  #missingSince; // when the stream was first seen to begin beyond the place

  get missingSince() {
    return this.#missingSince;
  }
  set missingSince(time) {
    this.#missingSince = time;
  }

  constructor(path) {
    this.#path = path;
  }

  // add counts an event.
  add(e) {
    this.events++;
    this.types[e.type] = (this.types[e.type] ?? 0) + 1;
    this.digest = createHash("sha256")
      .update(`${this.digest} ${e.seq}.${e.index} ${e.type} ${e.entity}`)
      .digest("hex");
  }

  // save replaces the file. After a crash at any point there is the old one or the
  // new one.
  save() {
    const temp = this.#path + ".tmp";
    const file = openSync(temp, "w");
    try {
      writeSync(file, JSON.stringify(this, undefined, 2));
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(temp, this.#path);
    const dir = openSync(dirname(this.#path), "r");
    try {
      fsyncSync(dir);
    } finally {
      closeSync(dir);
    }
  }
}

export function loadState(path) {
  const state = new State(path);
  let text;
  try {
    text = readFileSync(path, "utf8");
  } catch (err) {
    if (err.code === "ENOENT") return state;
    throw err;
  }
  return Object.assign(state, JSON.parse(text));
}
