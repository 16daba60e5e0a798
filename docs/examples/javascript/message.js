// FinalError is one that trying again does not mend: an operator has to decide.
export class FinalError extends Error {}

// before reports whether position a comes before b in the log.
export function before(a, b) {
  return a.seq < b.seq || (a.seq === b.seq && a.index < b.index);
}

export const show = (p) => `${p.seq}.${p.index}`;

// parseHeaders reads what the headers say of a message.
export function parseHeaders(headers) {
  const number = (name) => {
    const n = Number(headers?.get(name) || NaN);
    if (!Number.isSafeInteger(n)) throw new FinalError(`a message that metalog did not write: header ${name}`);
    return n;
  };
  const first = { seq: number("Metalog-Seq"), index: number("Metalog-Index") };
  const end = first.index + number("Metalog-Count");
  return {
    logID: headers.get("Metalog-Log-Id"),
    epoch: number("Metalog-Epoch"),
    first,
    next: end === number("Metalog-Events") ? { seq: first.seq + 1, index: 0 } : { seq: first.seq, index: end },
    hash: headers.get("Metalog-Hash"),
  };
}

// parseEvents reads a payload. This program reads JSON only.
export function parseEvents(msg) {
  const type = msg.headers.get("Content-Type");
  if (type !== "application/json") {
    throw new FinalError(`payloads are ${type}; run the server with --payload json`);
  }
  return msg.json();
}

// matches reports whether a subject filter with wildcards selects a subject.
export function matches(filter, subject) {
  const want = filter.split(".");
  const have = subject.split(".");
  for (const [i, token] of want.entries()) {
    if (token === ">") return have.length > i;
    if (i >= have.length || (token !== "*" && token !== have[i])) return false;
  }
  return want.length === have.length;
}
