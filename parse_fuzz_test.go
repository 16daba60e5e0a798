package metalog

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/metalog/metalog/events"
)

// FuzzParseLine reads any bytes as a line of an apply file. A line is refused
// with a code that says so, or it is a command whose JSON is read as the same
// command again.
func FuzzParseLine(f *testing.F) {
	for _, op := range Ops() {
		f.Add([]byte(`{"op":"` + op + `"}`))
	}
	for _, line := range []string{
		`{"op":"topic.create","command_id":"1","name":"a","partitions":2,"replication_factor":1,"config":{"k":"v"},"assignments":[{"replicas":[1,2],"leader":1},{"replicas":[2]}]}`,
		`{"op":"topic.add_partitions","if_revision":7,"name":"a","total":3}`,
		`{"op":"segment.add","topic":"a","partition":0,"id":"s","kind":"log","start_offset":0,"end_offset":9,"size_bytes":1,"attributes":{}}`,
		`{"op":"segment.compact","topic":"a","partition":0,"removed":["s"],"added":[{"id":"t","start_offset":0,"end_offset":9}]}`,
		`{"op":"broker.register","id":1,"host":"h","port":9092,"endpoints":[{"name":"PLAINTEXT","host":"h","port":1}],"incarnation_id":"00000000-0000-0000-0000-000000000001"}`,
		`{"op":"group.update","id":"g","state":"Stable","members":[{"id":"m","metadata":"AA==","assignment":"AQ=="}]}`,
		`{"op":"offset.commit","group":"g","offsets":[{"topic":"a","partition":0,"offset":5,"leader_epoch":null,"metadata":"é"}],"generation":1}`,
		`{"op":"config.set","scope":"topic/a","config":{"k":""},"reason":"why"}`,
		`{"op":"offset.expire","group":"g","before":"2026-01-02T03:04:05.000000006Z"}`,
		`{"op":"topic.delete","name":"a","name":"b"}`, `{"op":"topic.delete","Name":"a"}`, `{"op":"topic.delete","name":null}`,
		`{"op":"topic.delete","name":"a"} {}`, `{"op":7}`, `{"if_revision":-1}`, `[]`, `null`, ``, "\xff", `{"op":"topic.delete","name":"\ud800"}`,
	} {
		f.Add([]byte(line))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		cmd, opts, err := ParseLine(line)
		if err != nil {
			if code := events.CodeOf(err); code != events.CodeInvalid && code != events.CodeTooLarge {
				t.Fatalf("%v (%s), want invalid or too_large", err, code)
			}
			return
		}
		if _, err := newRequest(cmd, opts); err != nil {
			return // refused before anyone decides
		}
		body, err := json.Marshal(cmd)
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParseCommand(cmd.Op(), body)
		if err != nil {
			t.Fatalf("%s is not read again: %v", body, err)
		}
		if want, got := hashOf(t, cmd), hashOf(t, again); !bytes.Equal(got, want) {
			t.Errorf("%s is read again as another command: %+v, was %+v", body, again, cmd)
		}
	})
}

func hashOf(t *testing.T, cmd Command) []byte {
	t.Helper()
	hash, err := commandHash(cmd)
	if err != nil {
		t.Fatal(err)
	}
	return hash
}
