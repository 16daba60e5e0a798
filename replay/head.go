package replay

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"golang.org/x/mod/sumdb/note"

	"github.com/metalog/metalog/events"
)

// SignedHead is what a signature on a head vouches for: that this log had this
// record at this seq, and so, through the chain of hashes, all before it.
//
// It is signed as a note (C2SP signed-note), whose text is three lines: "metalog"
// and the log's id, the seq in decimal, and the hash in base64. Any tool for such
// notes checks the signature.
type SignedHead struct {
	LogID uuid.UUID
	Head  events.Head
}

const signedPrefix = "metalog "

func (h SignedHead) text() string {
	return fmt.Sprintf("%s%s\n%d\n%s\n", signedPrefix, h.LogID, h.Head.Seq, base64.StdEncoding.EncodeToString(h.Head.Hash[:]))
}

// parseSignedHead reads a text. It takes nothing that text does not write.
func parseSignedHead(text string) (h SignedHead, err error) {
	lines := strings.Split(strings.TrimPrefix(text, signedPrefix), "\n")
	if len(lines) == 4 {
		var hash []byte
		h.LogID, _ = uuid.Parse(lines[0])
		h.Head.Seq, _ = strconv.ParseUint(lines[1], 10, 64)
		hash, _ = base64.StdEncoding.DecodeString(lines[2])
		copy(h.Head.Hash[:], hash)
	}
	if h.Head.Seq == 0 || h.text() != text {
		return SignedHead{}, events.Errorf(events.CodeInvalid, "signed head: the text is not a log's id, seq and hash; sign one with 'metalog head sign'")
	}
	return h, nil
}

// NewHeadKey makes a pair of Ed25519 keys, in the encoding of signed notes. The
// name tells who signs; it has no spaces and no plus.
func NewHeadKey(name string) (private, public string, err error) {
	private, public, err = note.GenerateKey(rand.Reader, name)
	if err == nil {
		_, err = note.NewVerifier(public)
	}
	if err != nil {
		return "", "", events.Errorf(events.CodeInvalid, "key name %q: %w; a name has no spaces and no plus", name, err)
	}
	return private, public, nil
}

// SignHead signs a head with a private key.
func SignHead(h SignedHead, private string) ([]byte, error) {
	if h.Head.Seq == 0 {
		return nil, events.Errorf(events.CodeInvalid, "sign: the log has no records yet")
	}
	signer, err := note.NewSigner(strings.TrimSpace(private))
	if err != nil {
		return nil, events.Errorf(events.CodeInvalid, "private key: %w; make one with 'metalog head keygen'", err)
	}
	signed, err := note.Sign(&note.Note{Text: h.text()}, signer)
	if err != nil {
		return nil, events.Errorf(events.CodeInvalid, "sign: %w", err)
	}
	return signed, nil
}

// OpenSignedHead returns the head that a note vouches for. It is ErrCorrupt when
// the public key did not sign it, or the text was altered since.
func OpenSignedHead(signed []byte, public string) (SignedHead, error) {
	verifier, err := note.NewVerifier(strings.TrimSpace(public))
	if err != nil {
		return SignedHead{}, events.Errorf(events.CodeInvalid, "public key: %w; 'metalog head keygen' prints it", err)
	}
	opened, err := note.Open(signed, note.VerifierList(verifier))
	if err != nil {
		return SignedHead{}, events.Errorf(events.CodeCorrupt, "signed head: %w: key %s did not sign this, or it was altered since; don't trust it", err, verifier.Name())
	}
	return parseSignedHead(opened.Text)
}
