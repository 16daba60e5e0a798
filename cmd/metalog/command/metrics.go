package command

import (
	"context"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/metalog/metalog/events"
)

// metrics are what a server tells of itself.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.HistogramVec
}

func newMetrics(s *server) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "metalog_request_seconds",
			Help:    "Time to answer requests over NATS, by operation and error code (ok: none).",
			Buckets: prometheus.ExponentialBuckets(0.0001, 4, 9),
		}, []string{"op", "code"}),
	}
	m.registry.MustRegister(m.requests, &stateCollector{s},
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// observe is told of every request.
func (m *metrics) observe(op string, code events.Code, took time.Duration) {
	if code == "" {
		code = "ok"
	}
	m.requests.WithLabelValues(op, string(code)).Observe(took.Seconds())
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError})
}

// stateCollector reads the state of store and publisher at each scrape.
type stateCollector struct{ s *server }

func gauge(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("metalog_"+name, help, labels, nil)
}

var (
	seqDesc        = gauge("seq", "Seq of the last record.")
	checkpointDesc = gauge("checkpoint_seq", "Seq up to which the views are on disk.")
	eventsDesc     = gauge("events", "Events in the log.")
	entitiesDesc   = gauge("entities", "Rows in the views, by kind.", "kind")
	bytesDesc      = gauge("bytes", "Size on disk, by part.", "part")
	writableDesc   = gauge("writable", "1 while the store takes writes.")
	lagRecordsDesc = gauge("publisher_lag_records", "Records not wholly published.")
	lagSecondsDesc = gauge("publisher_lag_seconds", "Age of the oldest record not wholly published.")
	publishingDesc = gauge("publisher_running", "1 unless publishing ended for good.")
	publishedDesc  = gauge("publisher_published_seq", "Seq of the last record that is wholly published.")
	archivedDesc   = gauge("archived_seq", "Seq of the last record that is in the archive and not in the log.")
	connectedDesc  = gauge("nats_connected", "1 while the connection to NATS is up.", "connection")
	reconnectsDesc = prometheus.NewDesc("metalog_nats_reconnects_total", "How often the connection to NATS was restored.", []string{"connection"}, nil)
)

// Describe implements prometheus.Collector.
func (c *stateCollector) Describe(out chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{
		seqDesc, checkpointDesc, eventsDesc, entitiesDesc, bytesDesc, writableDesc,
		lagRecordsDesc, lagSecondsDesc, publishingDesc, publishedDesc, archivedDesc, connectedDesc, reconnectsDesc,
	} {
		out <- desc
	}
}

const collectTimeout = 5 * time.Second

// Collect implements prometheus.Collector.
func (c *stateCollector) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), collectTimeout)
	defer cancel()
	send := func(desc *prometheus.Desc, value float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
	}
	info, err := c.s.store.Info(ctx)
	if err != nil {
		out <- prometheus.NewInvalidMetric(seqDesc, err)
		return
	}
	send(seqDesc, float64(info.Seq))
	send(checkpointDesc, float64(info.Checkpoint))
	send(eventsDesc, float64(info.Events))
	send(writableDesc, boolValue(info.Writable))
	send(bytesDesc, float64(info.LogBytes), "log")
	send(bytesDesc, float64(info.ViewsBytes), "views")
	send(archivedDesc, float64(info.FirstSeq-1))
	if info.Archive != nil {
		send(bytesDesc, float64(info.Archive.FileBytes), "archive")
	}
	for kind, count := range info.Entities {
		send(entitiesDesc, float64(count), kind)
	}
	c.collectPublishing(ctx, out, send)
}

// collectPublishing tells how far publishing is, once it has begun.
func (c *stateCollector) collectPublishing(ctx context.Context, out chan<- prometheus.Metric, send func(*prometheus.Desc, float64, ...string)) {
	for name, nc := range c.s.connections() {
		send(connectedDesc, boolValue(nc.IsConnected()), name)
		out <- prometheus.MustNewConstMetric(reconnectsDesc, prometheus.CounterValue, float64(nc.Stats().Reconnects), name)
	}
	p := c.s.publisher.Load()
	if p == nil {
		return
	}
	send(publishingDesc, boolValue(c.s.published.Load() == nil))
	send(publishedDesc, float64(max(p.Position().Seq, 1)-1))
	lag, err := p.Lag(ctx)
	if err != nil {
		out <- prometheus.NewInvalidMetric(lagRecordsDesc, err)
		return
	}
	send(lagRecordsDesc, float64(lag.Records))
	send(lagSecondsDesc, lag.Age.Seconds())
}

func boolValue(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
