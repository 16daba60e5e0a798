package metalog_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
)

func TestParseLine(t *testing.T) {
	t.Parallel()
	line := `{"op":"offset.commit","command_id":"c1","if_revision":7,"reason":"why","group":"g","offsets":[{"topic":"t","partition":2,"offset":5,"leader_epoch":1,"metadata":"m"}]}`
	cmd, opts, err := metalog.ParseLine([]byte(line))
	if err != nil {
		t.Fatal(err)
	}
	want := metalog.CommitOffsets{Group: "g", Offsets: []metalog.OffsetCommit{{Topic: "t", Partition: 2, Offset: 5, LeaderEpoch: new(int32(1)), Metadata: "m"}}}
	if !reflect.DeepEqual(cmd, want) || opts.ID != "c1" || opts.IfRevision == nil || *opts.IfRevision != 7 || opts.Reason != "why" {
		t.Errorf("got %+v, %+v", cmd, opts)
	}
	cmd, _, err = metalog.ParseLine([]byte(`{"op":"topic.add_partitions","name":"t","total":3}`))
	if want := (metalog.AddPartitions{Name: "t", Total: 3}); err != nil || !reflect.DeepEqual(cmd, want) {
		t.Errorf("got %+v, %v", cmd, err)
	}
}

// What is wrong with a line is refused with a message that names the field.
func TestParseLineRejections(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		line string
		code events.Code
		says string
	}{
		"not JSON":          {`hello`, events.CodeInvalid, "not a JSON object"},
		"a list":            {`[]`, events.CodeInvalid, "not a JSON object"},
		"empty":             {``, events.CodeInvalid, "not a JSON object"},
		"cut short":         {`{"op":"system.init"`, events.CodeInvalid, "not a JSON object"},
		"two objects":       {`{"op":"system.init"} {}`, events.CodeInvalid, "something follows"},
		"no op":             {`{"name":"t"}`, events.CodeInvalid, "op: is missing"},
		"op is no string":   {`{"op":5}`, events.CodeInvalid, "op: "},
		"unknown op":        {`{"op":"topic.paint"}`, events.CodeInvalid, "topic.create"},
		"store's own op":    {`{"op":"log.start-epoch"}`, events.CodeInvalid, "not known"},
		"unknown field":     {`{"op":"topic.delete","name":"t","colour":"red"}`, events.CodeInvalid, "colour: "},
		"other case":        {`{"op":"topic.delete","Name":"t"}`, events.CodeInvalid, "Name: "},
		"missing field":     {`{"op":"topic.create","name":"t","partitions":1}`, events.CodeInvalid, "replication_factor: is missing"},
		"null field":        {`{"op":"topic.delete","name":null}`, events.CodeInvalid, "name: is missing"},
		"twice":             {`{"op":"topic.delete","name":"t","name":"u"}`, events.CodeInvalid, `"name" stands twice`},
		"text for number":   {`{"op":"topic.add-partitions","name":"t","total":"3"}`, events.CodeInvalid, "total: "},
		"fraction":          {`{"op":"topic.add-partitions","name":"t","total":1.5}`, events.CodeInvalid, "total: "},
		"too large number":  {`{"op":"topic.add-partitions","name":"t","total":3000000000}`, events.CodeInvalid, "total: "},
		"nested missing":    {`{"op":"offset.commit","group":"g","offsets":[{"topic":"t","partition":0,"offset":1},{"topic":"t","partition":1}]}`, events.CodeInvalid, "offsets[1].offset: is missing"},
		"nested unknown":    {`{"op":"offset.commit","group":"g","offsets":[{"topic":"t","partition":0,"offset":1,"x":1}]}`, events.CodeInvalid, "offsets[0].x: "},
		"not a list":        {`{"op":"offset.commit","group":"g","offsets":5}`, events.CodeInvalid, "offsets: must be a list"},
		"embedded, missing": {`{"op":"txn.commit","transactional_id":"t"}`, events.CodeInvalid, "producer_id: is missing"},
		"negative revision": {`{"op":"topic.delete","name":"t","if_revision":-1}`, events.CodeInvalid, "if_revision: "},
		"too long":          {`{"op":"topic.delete","name":"` + strings.Repeat("x", metalog.MaxCommandBytes) + `"}`, events.CodeTooLarge, "limit"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, _, err := metalog.ParseLine([]byte(test.line))
			if err == nil || events.CodeOf(err) != test.code || !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, want %s saying %q", err, test.code, test.says)
			}
		})
	}
}

// Every command can be given by its name, and its zero value misses something or
// is complete; it never panics.
func TestParseCommandOfEachOp(t *testing.T) {
	t.Parallel()
	for _, op := range metalog.Ops() {
		cmd, err := metalog.ParseCommand(op, []byte(`{}`))
		if err == nil && cmd.Op() != op || err != nil && !errors.Is(err, metalog.ErrInvalid) {
			t.Errorf("%s: %+v, %v", op, cmd, err)
		}
	}
}
