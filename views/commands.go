package views

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/metalog/metalog/events"
)

// CommandRow is what is remembered of a command that had a command id.
type CommandRow struct {
	Hash   []byte        `cbor:"1,keyasint,omitempty"` // SHA-256 of its body
	Seq    uint64        `cbor:"2,keyasint"`           // of its record
	Result events.Result `cbor:"3,keyasint"`
}

// commandKey hashes the command id with its actor, whose length keeps the two
// apart: a key has one width, and the window one size.
func commandKey(actor, id string) key {
	h := sha256.New()
	h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(actor))))
	h.Write([]byte(actor))
	h.Write([]byte(id))
	return h.Sum(bucketCommands.key())
}

func commandSeqKey(seq uint64) key { return bucketCommandsBySeq.key().uint64(seq) }

// Command returns what is remembered of a command, and whether it is in the
// window.
func (r *Reader) Command(actor, id string) (CommandRow, bool, error) {
	return load[CommandRow](r, commandKey(actor, id))
}

// PutCommand remembers a command. A record is of one command, so there is one of
// each seq.
func (tx *Tx) PutCommand(actor, id string, row CommandRow) error {
	k := commandKey(actor, id)
	if err := tx.put(commandSeqKey(row.Seq), k.inBucket()); err != nil {
		return err
	}
	return tx.save(k, row)
}

// EvictCommands forgets the commands of all records up to and including upTo.
// It costs one look-up a record, once; where they were evicted to is in the
// checkpoint.
func (tx *Tx) EvictCommands(upTo uint64) error {
	if tx.at.Counts[bucketCommands] == 0 {
		tx.at.CommandsEvicted = max(tx.at.CommandsEvicted, upTo)
	}
	for seq := tx.at.CommandsEvicted + 1; seq <= upTo; seq++ {
		if err := tx.evictCommand(seq); err != nil {
			return err
		}
		tx.at.CommandsEvicted = seq
	}
	return nil
}

func (tx *Tx) evictCommand(seq uint64) error {
	bySeq := commandSeqKey(seq)
	hash, found, err := tx.get(bySeq)
	if err != nil || !found {
		return err
	}
	if err := tx.remove(bucketCommands.key().string(string(hash))); err != nil {
		return err
	}
	return tx.remove(bySeq)
}
