package metalog_test

import (
	"context"
	"fmt"
	"os"

	"github.com/metalog/metalog"
)

// A topic is created, read by a group and deleted; the deletion takes the
// group's offset along.
func Example() {
	dir, err := os.MkdirTemp("", "metalog")
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := example(context.Background(), dir); err != nil {
		fmt.Println(err)
	}
	if err := os.RemoveAll(dir); err != nil {
		fmt.Println(err)
	}
	// Output:
	// topic orders has 3 partitions
	// TopicCreated of topic/orders, derived: false
	// GroupCreated of group/billing, derived: false
	// OffsetCommitted of group/billing, derived: false
	// TopicDeleted of topic/orders, derived: false
	// OffsetDeleted of group/billing, derived: true
}

func example(ctx context.Context, dir string) (err error) {
	store, err := metalog.Open(ctx, metalog.Options{Path: dir})
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := store.Close(); err == nil {
			err = closeErr
		}
	}()

	create := metalog.CreateTopic{Name: "orders", Partitions: 3, ReplicationFactor: 1}
	created, err := store.CreateTopic(ctx, create, metalog.WithCommandID("orders-1"))
	if err != nil {
		return err
	}
	topic, err := store.GetTopic(ctx, "orders")
	if err != nil {
		return err
	}
	fmt.Println("topic", topic.Name, "has", topic.Partitions, "partitions")

	if _, err := store.CreateGroup(ctx, metalog.CreateGroup{ID: "billing"}); err != nil {
		return err
	}
	offsets := []metalog.OffsetCommit{{Topic: "orders", Partition: 0, Offset: 42}}
	if _, err := store.CommitOffsets(ctx, metalog.CommitOffsets{Group: "billing", Offsets: offsets}); err != nil {
		return err
	}
	if _, err := store.DeleteTopic(ctx, metalog.DeleteTopic{Name: "orders"}); err != nil {
		return err
	}
	for event, err := range store.Events(ctx, metalog.EventQuery{From: created.Seq}) {
		if err != nil {
			return err
		}
		fmt.Printf("%s of %s, derived: %t\n", event.Type, event.Entity, event.Derived)
	}
	return nil
}
