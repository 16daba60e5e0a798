package publisher

import "github.com/metalog/metalog/events"

// DemoLogID is the id of the log that DemoSource returns.
var DemoLogID = testLogID

// DemoSource returns a log of two records: a topic, and two offsets in it.
func DemoSource() Source {
	log := newMemLog()
	log.append("admin", plain(&events.TopicCreated{TopicRef: topicRef("orders"), Partitions: 2, ReplicationFactor: 1}))
	log.append("billing", plain(offset("billing", "orders", 0, 17)), plain(offset("billing", "orders", 1, 4)))
	return log
}

// AwaitPublished returns when all of a DemoSource is published.
func AwaitPublished(source Source) { source.(*memLog).awaitPublished() }
