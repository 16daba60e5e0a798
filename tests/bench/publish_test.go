package bench

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/metalog/metalog/publisher"
)

// shapes are the commits that are published and read.
var shapes = []struct{ commits, offsets int }{{100_000, 1}, {10_000, 50}}

var encodings = []publisher.Encoding{publisher.JSON, publisher.CBOR}

// BenchmarkPublish publishes a log that is there already, from its files to the
// stream's last ack. ×plain is how its messages compare with as many of the same
// bytes that nats.go publishes by itself, asynchronously, to a stream like that.
func BenchmarkPublish(b *testing.B) {
	for _, shape := range shapes {
		p := newPlatform(b)
		p.commitAll(shape.commits, shape.offsets)
		for _, encoding := range encodings {
			b.Run(fmt.Sprintf("offsets=%d/%s", shape.offsets, encoding), func(b *testing.B) {
				p.b = b
				var took, plain time.Duration
				var messages uint64
				for b.Loop() {
					began := time.Now()
					pub, stop := p.publish(encoding)
					p.awaitPublished(pub)
					took += time.Since(began)
					stop()
					b.StopTimer()
					var d time.Duration
					d, messages = p.publishPlain()
					plain += d
					p.deleteStream()
					b.StartTimer()
				}
				rate := float64(messages) * float64(b.N) / took.Seconds()
				b.ReportMetric(rate, "messages/s")
				b.ReportMetric(rate*float64(shape.offsets), "events/s")
				b.ReportMetric(plain.Seconds()/took.Seconds(), "×plain")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}

// publishPlain publishes what is in the stream, headers and all, to another one.
func (p *platform) publishPlain() (took time.Duration, messages uint64) {
	js := p.connect(true)
	stream, err := js.Stream(p.b.Context(), publisher.StreamName(cluster))
	if err != nil {
		p.b.Fatal(err)
	}
	state := stream.CachedInfo().State
	sample, err := stream.GetMsg(p.b.Context(), state.LastSeq)
	if err != nil {
		p.b.Fatal(err)
	}
	if _, err := js.CreateStream(p.b.Context(), jetstream.StreamConfig{Name: "PLAIN", Subjects: []string{"plain.>"}, Storage: jetstream.FileStorage}); err != nil {
		p.b.Fatal(err)
	}
	async, err := jetstream.New(js.Conn(), jetstream.WithPublishAsyncMaxPending(2048))
	if err != nil {
		p.b.Fatal(err)
	}
	began := time.Now()
	for range state.Msgs {
		m := &nats.Msg{Subject: "plain." + sample.Subject, Header: sample.Header, Data: sample.Data}
		if _, err := async.PublishMsgAsync(m, jetstream.WithStallWait(time.Minute)); err != nil {
			p.b.Fatal(err)
		}
	}
	<-async.PublishAsyncComplete()
	took = time.Since(began)
	if err := js.DeleteStream(p.b.Context(), "PLAIN"); err != nil {
		p.b.Fatal(err)
	}
	return took, state.Msgs
}

// BenchmarkCatchUp reads a whole stream with a subscriber in the same process,
// over TCP. ×plain is how that compares with a consumer of nats.go that looks at
// nothing.
func BenchmarkCatchUp(b *testing.B) {
	for _, shape := range shapes {
		p := newPlatform(b)
		p.commitAll(shape.commits, shape.offsets)
		for _, encoding := range encodings {
			b.Run(fmt.Sprintf("offsets=%d/%s", shape.offsets, encoding), func(b *testing.B) {
				p.b = b
				pub, stop := p.publish(encoding)
				p.awaitPublished(pub)
				var took, plain time.Duration
				events := 0
				for b.Loop() {
					began := time.Now()
					events += p.readAll(publisher.Filter{})
					took += time.Since(began)
					b.StopTimer()
					plain += p.readPlain()
					b.StartTimer()
				}
				b.ReportMetric(float64(events)/took.Seconds(), "events/s")
				b.ReportMetric(plain.Seconds()/took.Seconds(), "×plain")
				b.ReportMetric(0, "ns/op")
				stop()
				p.deleteStream()
			})
		}
	}
}

// readAll subscribes until the log's head.
func (p *platform) readAll(filter publisher.Filter) (events int) {
	head := p.store.Log().Head().Seq
	for m, err := range publisher.Subscribe(p.b.Context(), p.connect(false), publisher.SubscribeOptions{Cluster: cluster, Filter: filter, Logger: quiet}) {
		if err != nil {
			p.b.Fatal(err)
		}
		events += len(m.Events)
		if m.Next().Seq > head {
			break
		}
	}
	return events
}

func (p *platform) readPlain() time.Duration {
	began := time.Now()
	js := p.connect(false)
	consumer, err := js.OrderedConsumer(p.b.Context(), publisher.StreamName(cluster), jetstream.OrderedConsumerConfig{})
	if err != nil {
		p.b.Fatal(err)
	}
	messages, err := consumer.Messages(jetstream.PullMaxMessages(1000))
	if err != nil {
		p.b.Fatal(err)
	}
	defer messages.Stop()
	for {
		m, err := messages.Next()
		if err != nil {
			p.b.Fatal(err)
		}
		meta, err := m.Metadata()
		if err != nil {
			p.b.Fatal(err)
		}
		if meta.NumPending == 0 {
			return time.Since(began)
		}
	}
}

// BenchmarkLatency commits at a steady rate and measures, from the moment that a
// commit is acknowledged, when its event is in a subscriber's hands.
func BenchmarkLatency(b *testing.B) {
	const rate, seconds = 5_000, 4
	for _, filter := range []struct {
		name string
		publisher.Filter
	}{{"all", publisher.Filter{}}, {"filtered", publisher.Filter{Aggregate: "group"}}} {
		b.Run(fmt.Sprintf("commits=%d/s/%s", rate, filter.name), func(b *testing.B) {
			p := newPlatform(b)
			pub, stop := p.publish(publisher.JSON)
			p.awaitPublished(pub)
			var lags []time.Duration
			for b.Loop() {
				lags = append(lags, p.latencies(filter.Filter, rate, rate*seconds)...)
			}
			stop()
			b.ReportMetric(quantile(lags, 0.5), "p50-ms")
			b.ReportMetric(quantile(lags, 0.99), "p99-ms")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// latencies commits so many offsets at a rate.
func (p *platform) latencies(filter publisher.Filter, rate, commits int) []time.Duration {
	first := p.store.Log().Head().Seq + 1
	acked, seen := make([]time.Time, commits), make([]time.Time, commits)
	var subscriber, clients sync.WaitGroup
	options := publisher.SubscribeOptions{Cluster: cluster, Filter: filter, New: true, Logger: quiet}
	ready := make(chan struct{})
	subscriber.Go(func() { p.watch(options, first, seen, ready) })
	<-ready
	begin := time.Now()
	for n := range commits {
		time.Sleep(time.Until(begin.Add(time.Duration(n) * time.Second / time.Duration(rate))))
		clients.Go(func() {
			result, err := p.store.CommitOffsets(p.b.Context(), commit(n, 1))
			if err != nil {
				p.b.Error(err)
				return
			}
			if at := result.Seq - first - 1; at < uint64(commits) {
				acked[at] = time.Now()
			}
		})
	}
	clients.Wait()
	subscriber.Wait()
	var lags []time.Duration
	for i := range seen {
		if !acked[i].IsZero() && !seen[i].IsZero() {
			lags = append(lags, max(0, seen[i].Sub(acked[i])))
		}
	}
	return lags
}

// watch notes when records first+1 to first+len(seen) came. A first commit tells
// that the subscription stands.
func (p *platform) watch(options publisher.SubscribeOptions, first uint64, seen []time.Time, ready chan<- struct{}) {
	options.New, options.From.Seq = false, first-1
	for m, err := range publisher.Subscribe(p.b.Context(), p.connect(false), options) {
		if err != nil {
			p.b.Error(err)
			return
		}
		switch {
		case m.Seq < first:
			p.must(commit(0, 1))
		case m.Seq == first:
			close(ready)
		default:
			if at := m.Seq - first - 1; at < uint64(len(seen)) {
				seen[at] = time.Now()
			}
		}
		if m.Next().Seq > first+uint64(len(seen)) {
			return
		}
	}
}
