// Command suite measures metalog beside other stores, on the same work, on the same
// disk, in one run. It needs no network, and PostgreSQL only if it is to be in the
// tables:
//
//	go run -C tests/bench/suite .
//	go run -C tests/bench/suite . -workloads commit -systems metalog,pebble -rounds 1
//	go run -C tests/bench/suite . -rows 10_000,1_000_000,10_000_000 -json /tmp/suite.json
//
// -help lists the flags. Tables go to standard output, progress to standard error. What
// it makes is under -dir, and goes when it ends, also by an interrupt.
//
// # How to read the tables
//
// Systems take turns, round by round; one is open at a time. A number is the median of
// the rounds. "X ÷ it" is how many times the rate of the line's system X has: the
// median of the ratios in each round, so that a machine that slows down for a while
// slows both. Every change is durable when it is acknowledged, in each system. Clients
// are goroutines of this process that each wait for an answer before they go on; a
// latency is what one of them waited. "offsets/s" counts each offset of a commit.
//
// The systems:
//
//	metalog           in process, opened with the default options
//	metalog+pub       the same, and the publisher with an embedded NATS server
//	metalog-wire      package client over the loopback interface, to what 'metalog
//	                  serve' runs: request API, index of history, embedded NATS
//	metalog-wire+pub  the same, and the publisher
//	pebble            batches with Sync
//	bbolt             Batch as it is by default, which waits for 1,000 updates or for
//	                  10 ms; Update for one client
//	bbolt-tuned       the same, but a batch goes as soon as all clients wait for it
//	sqlite            WAL, synchronous=FULL, one connection that writers queue for
//	etcd              embedded cluster of one, a transaction for each commit
//	nats-kv           embedded JetStream with SyncAlways; atomic batches
//	postgres          a private cluster with default settings, up to 64 connections,
//	                  one upsert statement for each commit
//	bare-log          tidwall/wal alone, one goroutine that writes groups of as many
//	                  and as large entries as metalog wrote in the same round
//
// The bare log decides nothing and has no clients: it is the limit of the write path.
// Its latency is of a group, so that with one client it is one append with fsync.
//
// The peers store the same rows: the key is of group, topic and partition, the value of
// offset, leader epoch, time and metadata, 40 bytes. Commits are for 1,000 groups,
// which stand evenly among all groups, and 50 partitions. -rows is how many offsets
// there are before. A peer checks nothing of what it stores and keeps no history.
//
// A note tells how metalog's log was written (records in a group that was synced
// together, and their size), or how far its publisher was behind at the end. A system
// that is not there says why in its line. The last table has the figures that metalog
// is to reach.
package main
