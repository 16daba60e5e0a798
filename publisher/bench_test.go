package publisher

import (
	"context"
	"testing"

	"github.com/metalog/metalog/events"
)

// BenchmarkPublish measures sustained publishing of a log that grows by batches,
// to a server in the same process, over TCP.
func BenchmarkPublish(b *testing.B) {
	for _, encoding := range []Encoding{JSON, CBOR} {
		b.Run("single/"+string(encoding), func(b *testing.B) { benchmarkPublish(b, encoding, 20_000, 1) })
		b.Run("commit50/"+string(encoding), func(b *testing.B) { benchmarkPublish(b, encoding, 2_000, 50) })
	}
}

func benchmarkPublish(b *testing.B, encoding Encoding, batch int, perRecord int32) {
	server, log, options := newServer(b), newMemLog(), testOptions()
	options.Encoding = encoding
	start(b, newPublisher(b, log, server.connect(), options))
	facts := commitFacts(perRecord)
	for b.Loop() {
		for range batch {
			log.append("consumer", facts...)
		}
		log.awaitPublished()
	}
	messages := float64(b.N * batch)
	b.ReportMetric(messages/b.Elapsed().Seconds(), "messages/s")
	b.ReportMetric(messages*float64(perRecord)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkSubscribe measures catching up on a stream.
func BenchmarkSubscribe(b *testing.B) {
	for _, encoding := range []Encoding{JSON, CBOR} {
		b.Run(string(encoding), func(b *testing.B) {
			server, log, options := newServer(b), newMemLog(), testOptions()
			options.Encoding = encoding
			for range 2_000 {
				log.append("consumer", commitFacts(50)...)
			}
			publishAll(b, log, server.connect(), options)
			js := server.connect()
			for b.Loop() {
				for m, err := range Subscribe(context.Background(), js, SubscribeOptions{Cluster: testCluster, Logger: quiet}) {
					if err != nil {
						b.Fatal(err)
					}
					if m.Seq == 2_000 {
						break
					}
				}
			}
			b.ReportMetric(float64(b.N*2_000*50)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

func commitFacts(n int32) []events.Fact {
	facts := make([]events.Fact, n)
	for p := range n {
		facts[p] = plain(offset("orders-service", "orders", p, 123456))
	}
	return facts
}

// BenchmarkParseMessage is what a subscriber does with each message.
func BenchmarkParseMessage(b *testing.B) {
	for _, encoding := range []Encoding{JSON, CBOR} {
		b.Run(string(encoding), func(b *testing.B) {
			rec := newMemLog().append("consumer", commitFacts(1)...)
			msgs, err := testEncoder(encoding, 1<<20).messages(rec, 0)
			if err != nil {
				b.Fatal(err)
			}
			m := msgs[0].msg
			b.ReportAllocs()
			for b.Loop() {
				if _, err := parseMessage(m.Subject, m.Header, m.Data, 1); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkEncodeMessage is what the publisher does with each record.
func BenchmarkEncodeMessage(b *testing.B) {
	for _, encoding := range []Encoding{JSON, CBOR} {
		b.Run(string(encoding), func(b *testing.B) {
			rec := newMemLog().append("consumer", commitFacts(1)...)
			encode := testEncoder(encoding, 1<<20)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := encode.messages(rec, 0); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
