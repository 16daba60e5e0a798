package replay_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/uuid"
	"golang.org/x/mod/sumdb/note"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/replay"
)

var signedHead = replay.SignedHead{
	LogID: uuid.MustParse("01900000-0000-7000-8000-000000000001"),
	Head:  events.Head{Seq: 42, Hash: events.Hash{1, 2, 3, 31: 0xff}},
}

func newKey(t *testing.T) (private, public string) {
	t.Helper()
	private, public, err := replay.NewHeadKey("metalog.example.org")
	if err != nil {
		t.Fatal(err)
	}
	return private, public
}

func sign(t *testing.T, private string) []byte {
	t.Helper()
	signed, err := replay.SignHead(signedHead, private+"\n")
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

// TestSignedHead has a note package that knows nothing of metalog check it.
func TestSignedHead(t *testing.T) {
	private, public := newKey(t)
	signed := sign(t, private)
	verifier, err := note.NewVerifier(public)
	if err != nil {
		t.Fatal(err)
	}
	opened, err := note.Open(signed, note.VerifierList(verifier))
	if err != nil {
		t.Fatal(err)
	}
	want := "metalog 01900000-0000-7000-8000-000000000001\n42\nAQIDAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAP8=\n"
	if opened.Text != want || opened.Sigs[0].Name != "metalog.example.org" {
		t.Errorf("the note says %q, signed by %s", opened.Text, opened.Sigs[0].Name)
	}
	got, err := replay.OpenSignedHead(signed, public+"\n")
	if err != nil || got != signedHead {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestSignedHeadAltered(t *testing.T) {
	private, public := newKey(t)
	_, otherKey := newKey(t)
	signed := sign(t, private)
	if _, err := replay.OpenSignedHead(signed, otherKey); !errors.Is(err, events.ErrCorrupt) {
		t.Errorf("signed by somebody else: %v, want ErrCorrupt", err)
	}
	for i := range bytes.Index(signed, []byte("\n\n")) {
		altered := bytes.Clone(signed)
		altered[i] ^= 1
		if _, err := replay.OpenSignedHead(altered, public); !errors.Is(err, events.ErrCorrupt) {
			t.Fatalf("byte %d altered: %v, want ErrCorrupt", i, err)
		}
	}
}

// TestSignedHeadText: a note that is well signed but says something else.
func TestSignedHeadText(t *testing.T) {
	private, public := newKey(t)
	signer, err := note.NewSigner(private)
	if err != nil {
		t.Fatal(err)
	}
	text := "metalog 01900000-0000-7000-8000-000000000001\n42\nAQIDAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAP8=\n"
	for name, text := range map[string]string{
		"nothing of it":     "hello\n",
		"another origin":    strings.Replace(text, "metalog ", "otherlog ", 1),
		"a line more":       text + "more\n",
		"a zero before seq": strings.Replace(text, "42", "042", 1),
		"seq 0":             strings.Replace(text, "42", "0", 1),
		"a short hash":      strings.Replace(text, "AQID", "", 1),
		"another form of id": strings.Replace(text, "01900000-0000-7000-8000-000000000001",
			"01900000000070008000000000000001", 1),
	} {
		signed, err := note.Sign(&note.Note{Text: text}, signer)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := replay.OpenSignedHead(signed, public); !errors.Is(err, events.ErrInvalid) {
			t.Errorf("%s: %+v, %v, want ErrInvalid", name, got, err)
		}
	}
}

func TestSignedHeadRefusals(t *testing.T) {
	private, public := newKey(t)
	signed := sign(t, private)
	_, _, spaces := replay.NewHeadKey("two words")
	_, noRecords := replay.SignHead(replay.SignedHead{LogID: signedHead.LogID}, private)
	_, publicAsPrivate := replay.SignHead(signedHead, public)
	_, privateAsPublic := replay.OpenSignedHead(signed, private)
	for name, err := range map[string]error{
		"name with a space": spaces, "no records": noRecords,
		"public key to sign": publicAsPrivate, "private key to check": privateAsPublic,
	} {
		if !errors.Is(err, events.ErrInvalid) {
			t.Errorf("%s: %v, want ErrInvalid", name, err)
		}
		if err != nil && strings.Contains(err.Error(), "PRIVATE+KEY") {
			t.Errorf("%s: the message has the key: %v", name, err)
		}
	}
}
