package metalog_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/storetest"
)

func TestTopicCreateGetList(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t)
	config := events.Config{"retention.ms": "1000"}
	created := s.Must(metalog.CreateTopic{Name: "orders", Partitions: 3, ReplicationFactor: 2, Config: config})
	createTopic(s, "clicks", 1)

	got, err := s.GetTopic(t.Context(), "orders")
	if err != nil {
		t.Fatal(err)
	}
	if got.ID != created.TopicID || got.Partitions != 3 || got.ReplicationFactor != 2 || got.Config["retention.ms"] != "1000" ||
		got.Internal || got.Revision != created.Seq || got.CreatedAt != created.Time || got.UpdatedAt != created.Time {
		t.Errorf("got %+v, created by %+v", got, created)
	}
	list, err := metalog.Collect(s.ListTopics(t.Context()))
	if err != nil || len(list) != 2 || list[0].Name != "clicks" || list[1].Name != "orders" {
		t.Errorf("list: %+v, %v", list, err)
	}
	if _, err := s.GetTopic(t.Context(), "nothing"); !errors.Is(err, metalog.ErrNotFound) {
		t.Errorf("a topic that is not there: %v", err)
	}
}

// A second create is refused, whether or not it looks like the first: nothing is
// merged into a topic.
func TestTopicCreateTwice(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t)
	createTopic(s, "orders", 3)
	for _, partitions := range []int32{3, 5} {
		s.Refused(metalog.ErrAlreadyExists, metalog.CreateTopic{Name: "orders", Partitions: partitions, ReplicationFactor: 1})
	}
	if got, err := s.GetTopic(t.Context(), "orders"); err != nil || got.Partitions != 3 {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestTopicCreateWithAssignments(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t)
	registerBrokers(s, 1, 2)
	created := s.Must(metalog.CreateTopic{Name: "orders", Partitions: 2, ReplicationFactor: 2, Assignments: []metalog.TopicAssignment{
		{Replicas: events.BrokerIDs{1, 2}},
		{Replicas: events.BrokerIDs{1, 2}, Leader: new(int32(2))},
	}})
	if got := checkCascade(t, s.Record(created.Seq)); !slices.Equal(got, []string{"PartitionAssigned", "PartitionAssigned"}) {
		t.Errorf("derived %v", got)
	}
	partitions, err := metalog.Collect(s.ListPartitions(t.Context(), "orders"))
	if err != nil || len(partitions) != 2 || partitions[0].Leader != 1 || partitions[1].Leader != 2 {
		t.Errorf("partitions %+v, %v", partitions, err)
	}
}

func TestTopicUpdate(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t)
	s.Must(metalog.CreateTopic{Name: "orders", Partitions: 3, ReplicationFactor: 2, Config: events.Config{"a": "1", "b": "2"}})
	updated := s.Must(metalog.UpdateTopic{Name: "orders", Config: &events.Config{"b": "3"}})
	got, err := s.GetTopic(t.Context(), "orders")
	if err != nil || len(got.Config) != 1 || got.Config["b"] != "3" || got.ReplicationFactor != 2 || got.Revision != updated.Seq {
		t.Errorf("got %+v, %v", got, err)
	}
	s.Must(metalog.UpdateTopic{Name: "orders", ReplicationFactor: new(int32(5))})
	s.Must(metalog.UpdateTopic{Name: "orders", Config: &events.Config{}})
	if got, err = s.GetTopic(t.Context(), "orders"); err != nil || len(got.Config) != 0 || got.ReplicationFactor != 5 {
		t.Errorf("got %+v, %v", got, err)
	}
	s.Unchanged(metalog.UpdateTopic{Name: "orders", ReplicationFactor: new(int32(5)), Config: &events.Config{}})
	s.Unchanged(metalog.UpdateTopic{Name: "orders"})
}

func TestTopicAddPartitions(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t)
	registerBrokers(s, 1)
	createTopic(s, "orders", 2)
	added := s.Must(metalog.AddPartitions{Name: "orders", Total: 4, Assignments: []metalog.TopicAssignment{
		{Replicas: events.BrokerIDs{1}}, {Replicas: events.BrokerIDs{1}},
	}})
	checkCascade(t, s.Record(added.Seq))
	partitions, err := metalog.Collect(s.ListPartitions(t.Context(), "orders"))
	if err != nil || len(partitions) != 4 || len(partitions[1].Replicas) != 0 || partitions[2].Leader != 1 || partitions[3].Leader != 1 {
		t.Errorf("partitions %+v, %v", partitions, err)
	}
	s.Unchanged(metalog.AddPartitions{Name: "orders", Total: 4})
	s.Must(segment("orders", 3, "s", 0, 9))
}

func TestTopicRejections(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t)
	registerBrokers(s, 1)
	createTopic(s, "orders", 2)
	s.Must(metalog.InitSystem{})
	create := func(change func(*metalog.CreateTopic)) metalog.Command {
		c := metalog.CreateTopic{Name: "new", Partitions: 1, ReplicationFactor: 1}
		change(&c)
		return c
	}
	named := func(name string) metalog.Command {
		return create(func(c *metalog.CreateTopic) { c.Name = name })
	}
	assigned := func(replicas ...int32) metalog.Command {
		return create(func(c *metalog.CreateTopic) { c.Assignments = []metalog.TopicAssignment{{Replicas: replicas}} })
	}
	checkRejections(t, s, map[string]rejection{
		"no name":                   {cmd: named(""), want: metalog.ErrInvalid},
		"dot":                       {cmd: named("."), want: metalog.ErrInvalid},
		"two dots":                  {cmd: named(".."), want: metalog.ErrInvalid},
		"slash":                     {cmd: named("a/b"), want: metalog.ErrInvalid},
		"umlaut":                    {cmd: named("ä"), want: metalog.ErrInvalid},
		"long name":                 {cmd: named(strings.Repeat("a", 250)), want: metalog.ErrInvalid},
		"internal name":             {cmd: named(metalog.ConsumerOffsetsTopic), want: metalog.ErrInvalid},
		"no partitions":             {cmd: create(func(c *metalog.CreateTopic) { c.Partitions = 0 }), want: metalog.ErrInvalid},
		"negative partitions":       {cmd: create(func(c *metalog.CreateTopic) { c.Partitions = -1 }), want: metalog.ErrInvalid},
		"too many partitions":       {cmd: create(func(c *metalog.CreateTopic) { c.Partitions = metalog.MaxPartitions + 1 }), want: metalog.ErrInvalid},
		"no replication":            {cmd: create(func(c *metalog.CreateTopic) { c.ReplicationFactor = 0 }), want: metalog.ErrInvalid},
		"too much replication":      {cmd: create(func(c *metalog.CreateTopic) { c.ReplicationFactor = 32768 }), want: metalog.ErrInvalid},
		"config key":                {cmd: create(func(c *metalog.CreateTopic) { c.Config = events.Config{"a b": ""} }), want: metalog.ErrInvalid},
		"config value":              {cmd: create(func(c *metalog.CreateTopic) { c.Config = events.Config{"a": strings.Repeat("x", 40<<10)} }), want: metalog.ErrInvalid},
		"assignment of unknown":     {cmd: assigned(9), want: metalog.ErrNotFound},
		"assignment of nobody":      {cmd: assigned(), want: metalog.ErrInvalid},
		"assignment twice":          {cmd: assigned(1, 1), want: metalog.ErrInvalid},
		"assignment of negative":    {cmd: assigned(-1), want: metalog.ErrInvalid},
		"assignments too few":       {cmd: create(func(c *metalog.CreateTopic) { c.Partitions = 2; c.Assignments = make([]metalog.TopicAssignment, 1) }), want: metalog.ErrInvalid},
		"update unknown":            {cmd: metalog.UpdateTopic{Name: "nothing"}, want: metalog.ErrNotFound},
		"update replication":        {cmd: metalog.UpdateTopic{Name: "orders", ReplicationFactor: new(int32(0))}, want: metalog.ErrInvalid},
		"update config":             {cmd: metalog.UpdateTopic{Name: "orders", Config: &events.Config{"": "x"}}, want: metalog.ErrInvalid},
		"update no name":            {cmd: metalog.UpdateTopic{}, want: metalog.ErrInvalid},
		"fewer partitions":          {cmd: metalog.AddPartitions{Name: "orders", Total: 1}, want: metalog.ErrInvalid},
		"zero partitions":           {cmd: metalog.AddPartitions{Name: "orders"}, want: metalog.ErrInvalid},
		"add to unknown":            {cmd: metalog.AddPartitions{Name: "nothing", Total: 4}, want: metalog.ErrNotFound},
		"add with wrong number":     {cmd: metalog.AddPartitions{Name: "orders", Total: 4, Assignments: []metalog.TopicAssignment{{Replicas: events.BrokerIDs{1}}}}, want: metalog.ErrInvalid},
		"add with unknown broker":   {cmd: metalog.AddPartitions{Name: "orders", Total: 3, Assignments: []metalog.TopicAssignment{{Replicas: events.BrokerIDs{9}}}}, want: metalog.ErrNotFound},
		"delete unknown":            {cmd: metalog.DeleteTopic{Name: "nothing"}, want: metalog.ErrNotFound},
		"delete no name":            {cmd: metalog.DeleteTopic{}, want: metalog.ErrInvalid},
		"delete internal":           {cmd: metalog.DeleteTopic{Name: metalog.TransactionStateTopic}, want: metalog.ErrForbidden},
		"command id too long":       {cmd: named("fine"), want: metalog.ErrInvalid, opts: []metalog.CommandOption{metalog.WithCommandID(strings.Repeat("x", 129))}},
		"actor too long":            {cmd: named("fine"), want: metalog.ErrInvalid, opts: []metalog.CommandOption{metalog.WithActor(strings.Repeat("x", 257))}},
		"reason not UTF-8":          {cmd: named("fine"), want: metalog.ErrInvalid, opts: []metalog.CommandOption{metalog.WithReason("\xff")}},
		"config larger than events": {cmd: create(func(c *metalog.CreateTopic) { c.Config = largeConfig(20) }), want: metalog.ErrTooLarge},
	})
}

// largeConfig has n values of 32 KiB.
func largeConfig(n int) events.Config {
	config := events.Config{}
	for i := range n {
		config["key-"+string(rune('a'+i))] = strings.Repeat("x", 32<<10)
	}
	return config
}
