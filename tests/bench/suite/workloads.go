package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
)

// workload is what is asked of each system.
type workload struct {
	kind    string // as -workloads names it
	title   string
	clients int
	columns []string
	// measure runs it once; the values are those of the columns.
	measure func(ctx context.Context, r run) ([]float64, error)
}

// run is one measurement of one system.
type run struct {
	system  system
	shape   shape
	clients int
	window  window
	number  int // of all in this process: names that are made new have it in them
}

// The kinds of workloads, in the order that they run in.
var kinds = []string{"commit", "create", "roll", "delete", "read", "list", "mixed"}

// usualClients is for workloads that are not measured with several numbers.
const usualClients = 64

// bareLogDoes tells whether the bare log has a part in a workload.
func (w workload) bareLogDoes() bool { return w.kind == "commit" }

func rated(unit string) []string { return []string{unit + "/s", "p50 µs", "p99 µs"} }

// workloads lists what the options ask for.
func workloads(o options) []workload {
	var list []workload
	for _, offsets := range o.offsets {
		for _, clients := range o.clients {
			list = append(list, commitWorkload(clients, offsets))
		}
	}
	list = append(list,
		workload{kind: "create", title: fmt.Sprintf("create topics, %d clients", usualClients), clients: usualClients, columns: rated("topics"), measure: measureCreate},
		workload{kind: "roll", title: fmt.Sprintf("roll segments (add 1, remove 1), %d clients", usualClients), clients: usualClients, columns: rated("rolls"), measure: measureRoll},
		deleteWorkload(o.children),
		readWorkload(1, "1 client"),
		readWorkload(runtime.GOMAXPROCS(0), fmt.Sprintf("a client for each of %d cores", runtime.GOMAXPROCS(0))),
		workload{kind: "list", title: "list a group's offsets, a client for each core", clients: runtime.GOMAXPROCS(0), columns: rated("lists"), measure: measureList},
		workload{kind: "mixed", title: fmt.Sprintf("90 reads to 10 commits, %d clients", usualClients), clients: usualClients, columns: rated("operations"), measure: measureMixed},
	)
	return slices.DeleteFunc(list, func(w workload) bool { return !slices.Contains(o.workloads, w.kind) })
}

// each makes a workload's measure of a client's operation.
func (r run) each(ctx context.Context, rows int, newOperation func(client int) operation) ([]float64, error) {
	m, err := drive(ctx, r.window, r.clients, newOperation)
	return m.values(rows), err
}

// random is a client's own, the same in each measurement of a number.
func (r run) random(client int) *rand.Rand {
	return rand.New(rand.NewPCG(uint64(r.number), uint64(client)))
}

func commitTitle(clients, offsets int) string {
	return fmt.Sprintf("commit %s each, %s", plural(offsets, "offset"), plural(clients, "client"))
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func commitWorkload(clients, offsets int) workload {
	return workload{
		kind: "commit", title: commitTitle(clients, offsets), clients: clients, columns: rated("offsets"),
		measure: func(ctx context.Context, r run) ([]float64, error) {
			if log, ok := r.system.(*bareLogSystem); ok {
				r.clients = 1
				return r.each(ctx, offsets, func(int) operation { return log.append })
			}
			return r.each(ctx, offsets, func(client int) operation { return r.commits(client, offsets) })
		},
	}
}

// commits is a client that commits for random groups.
func (r run) commits(client, offsets int) operation {
	random := r.random(client)
	offset := int64(r.number) << 32
	return func(ctx context.Context) (int, error) {
		offset++
		group, partition := r.shape.commitGroup(random.IntN(commitGroups)), random.IntN(partitions)
		return 1, r.system.commit(ctx, group, partition, offsets, offset)
	}
}

func measureCreate(ctx context.Context, r run) ([]float64, error) {
	return r.each(ctx, 1, func(client int) operation {
		n := 0
		return func(ctx context.Context) (int, error) {
			n++
			return 1, r.system.createTopic(ctx, fmt.Sprintf("topic-%d-%d-%d", r.number, client, n), 3)
		}
	})
}

// measureRoll has each client roll the segments of a partition of its own.
func measureRoll(ctx context.Context, r run) ([]float64, error) {
	topic := fmt.Sprintf("rolled-%d", r.number)
	if err := r.system.createTopic(ctx, topic, r.clients); err != nil {
		return nil, err
	}
	return r.each(ctx, 1, func(client int) operation {
		n := -1 // the first only adds segment 0
		return func(ctx context.Context) (int, error) {
			n++
			return 1, r.system.rollSegment(ctx, topic, client, n, n-1)
		}
	})
}

func readWorkload(clients int, who string) workload {
	return workload{kind: "read", title: "read one offset, " + who, clients: clients, columns: rated("reads"), measure: measureRead}
}

func measureRead(ctx context.Context, r run) ([]float64, error) {
	return r.each(ctx, 1, func(client int) operation { return r.reads(client) })
}

// reads is a client that reads random offsets of those that were loaded.
func (r run) reads(client int) operation {
	random := r.random(client)
	return func(ctx context.Context) (int, error) {
		return 1, r.system.read(ctx, random.IntN(r.shape.groups), random.IntN(r.shape.loaded()))
	}
}

func measureList(ctx context.Context, r run) ([]float64, error) {
	return r.each(ctx, 1, func(client int) operation {
		random := r.random(client)
		return func(ctx context.Context) (int, error) {
			n, err := r.system.list(ctx, random.IntN(r.shape.groups))
			if err == nil && n < r.shape.loaded() {
				err = fmt.Errorf("%d offsets of a group were listed, there are at least %d", n, r.shape.loaded())
			}
			return 1, err
		}
	})
}

func measureMixed(ctx context.Context, r run) ([]float64, error) {
	return r.each(ctx, 1, func(client int) operation {
		random, read, commit := r.random(client), r.reads(client), r.commits(client, 1)
		return func(ctx context.Context) (int, error) {
			if random.IntN(10) == 0 {
				return commit(ctx)
			}
			return read(ctx)
		}
	})
}
