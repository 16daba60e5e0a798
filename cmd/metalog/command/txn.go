package command

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
)

func (a *app) txnCommand() *cobra.Command {
	return a.noun("txn", "Transactions",
		a.txnBegin(), a.txnAddPartitions(), a.txnAddOffsets(), a.txnCommitOffsets(), a.txnPrepare(),
		a.txnCommit(), a.txnAbort(), a.txnFence(), a.txnDescribe(), a.txnList())
}

// producerFlags gives a command the flags that say who acts.
func producerFlags(cmd *cobra.Command, p *metalog.Producer) {
	f := cmd.Flags()
	f.Int64Var(&p.ProducerID, "producer-id", 0, "producer id, from 'metalog producer allocate-ids'")
	f.Int16Var(&p.ProducerEpoch, "producer-epoch", 0, "producer epoch")
	require(cmd, "producer-id")
}

func (a *app) txnBegin() *cobra.Command {
	c := metalog.BeginTransaction{}
	cmd := &cobra.Command{
		Use:     "begin TRANSACTIONAL-ID",
		Short:   "Begin a transaction",
		Example: "  metalog txn begin billing-1 --producer-id 0 --timeout-ms 60000",
		Args:    cobra.ExactArgs(1),
		RunE: a.run(func(ctx context.Context, args []string) error {
			c.TransactionalID = args[0]
			return a.write(ctx, c, a.showTransaction(args[0]))
		}),
	}
	producerFlags(cmd, &c.Producer)
	cmd.Flags().Int32Var(&c.TimeoutMs, "timeout-ms", 60_000, "milliseconds after which it is aborted")
	return cmd
}

func (a *app) txnAddPartitions() *cobra.Command {
	c := metalog.AddTransactionPartitions{}
	cmd := &cobra.Command{
		Use:     "add-partitions TRANSACTIONAL-ID TOPIC:PARTITION…",
		Short:   "Note partitions that a transaction writes to",
		Example: "  metalog txn add-partitions billing-1 orders:0 orders:1 --producer-id 0",
		Args:    cobra.MinimumNArgs(2),
		RunE: a.run(func(ctx context.Context, args []string) error {
			c.TransactionalID = args[0]
			for _, text := range args[1:] {
				topic, partition, err := parsePartition(text)
				if err != nil {
					return err
				}
				c.Partitions = append(c.Partitions, metalog.TransactionPartition{Topic: topic, Partition: partition})
			}
			return a.write(ctx, c, a.showTransaction(args[0]))
		}),
	}
	producerFlags(cmd, &c.Producer)
	return cmd
}

// parsePartition reads TOPIC:PARTITION. No topic's name has a colon.
func parsePartition(s string) (topic string, partition int32, err error) {
	topic, number, ok := strings.Cut(s, ":")
	if !ok {
		return "", 0, usagef("%q is not TOPIC:PARTITION", s)
	}
	partition, err = int32Arg(s, number)
	return topic, partition, err
}

func (a *app) txnAddOffsets() *cobra.Command {
	c := metalog.AddTransactionOffsets{}
	cmd := &cobra.Command{
		Use:     "add-offsets TRANSACTIONAL-ID --group GROUP",
		Short:   "Note a group whose offsets a transaction may commit",
		Example: "  metalog txn add-offsets billing-1 --group billing --producer-id 0",
		Args:    cobra.ExactArgs(1),
		RunE: a.run(func(ctx context.Context, args []string) error {
			c.TransactionalID = args[0]
			return a.write(ctx, c, a.showTransaction(args[0]))
		}),
	}
	producerFlags(cmd, &c.Producer)
	cmd.Flags().StringVar(&c.Group, "group", "", "group")
	require(cmd, "group")
	return cmd
}

func (a *app) txnCommitOffsets() *cobra.Command {
	c := metalog.CommitTransactionOffsets{}
	cmd := &cobra.Command{
		Use:     "commit-offsets TRANSACTIONAL-ID --group GROUP TOPIC:PARTITION=OFFSET…",
		Short:   "Make offsets pending until the transaction ends",
		Example: "  metalog txn commit-offsets billing-1 --group billing orders:0=1234 --producer-id 0",
		Args:    cobra.MinimumNArgs(2),
		RunE: a.run(func(ctx context.Context, args []string) error {
			c.TransactionalID = args[0]
			for _, text := range args[1:] {
				o, err := parseOffset(text)
				if err != nil {
					return err
				}
				c.Offsets = append(c.Offsets, o)
			}
			return a.write(ctx, c, a.showTransaction(args[0]))
		}),
	}
	producerFlags(cmd, &c.Producer)
	f := cmd.Flags()
	f.StringVar(&c.Group, "group", "", "group")
	f.Var(optionalInt32(&c.Generation), "generation", "generation of the member that commits")
	f.StringVar(&c.MemberID, "member-id", "", "member that commits")
	require(cmd, "group")
	return cmd
}

// parseOffset reads TOPIC:PARTITION=OFFSET.
func parseOffset(s string) (o metalog.OffsetCommit, err error) {
	place, number, ok := strings.Cut(s, "=")
	if !ok {
		return o, usagef("%q is not TOPIC:PARTITION=OFFSET", s)
	}
	if o.Topic, o.Partition, err = parsePartition(place); err != nil {
		return o, err
	}
	o.Offset, err = int64Arg(s, number)
	return o, err
}

func (a *app) txnPrepare() *cobra.Command {
	c := metalog.PrepareTransaction{}
	cmd := &cobra.Command{
		Use:     "prepare TRANSACTIONAL-ID --outcome commit|abort",
		Short:   "Decide how a transaction ends",
		Example: "  metalog txn prepare billing-1 --outcome commit --producer-id 0",
		Args:    cobra.ExactArgs(1),
		RunE: a.run(func(ctx context.Context, args []string) error {
			c.TransactionalID = args[0]
			return a.write(ctx, c, a.showTransaction(args[0]))
		}),
	}
	producerFlags(cmd, &c.Producer)
	cmd.Flags().StringVar((*string)(&c.Outcome), "outcome", "", "commit or abort")
	require(cmd, "outcome")
	return cmd
}

func (a *app) txnCommit() *cobra.Command {
	c := metalog.CommitTransaction{}
	cmd := &cobra.Command{
		Use:     "commit TRANSACTIONAL-ID",
		Short:   "End a transaction that is prepared to commit: its offsets become the groups'",
		Example: "  metalog txn commit billing-1 --producer-id 0",
		Args:    cobra.ExactArgs(1),
		RunE: a.run(func(ctx context.Context, args []string) error {
			c.TransactionalID = args[0]
			return a.write(ctx, c, a.showTransaction(args[0]))
		}),
	}
	producerFlags(cmd, &c.Producer)
	a.dryRunFlag(cmd)
	return cmd
}

func (a *app) txnAbort() *cobra.Command {
	c := metalog.AbortTransaction{}
	cmd := &cobra.Command{
		Use:     "abort TRANSACTIONAL-ID",
		Short:   "End a transaction without its offsets",
		Example: "  metalog txn abort billing-1 --producer-id 0",
		Args:    cobra.ExactArgs(1),
		RunE: a.run(func(ctx context.Context, args []string) error {
			c.TransactionalID = args[0]
			return a.write(ctx, c, a.showTransaction(args[0]))
		}),
	}
	producerFlags(cmd, &c.Producer)
	cmd.Flags().BoolVar(&c.TimedOut, "timed-out", false, "only if its timeout is over")
	a.dryRunFlag(cmd)
	return cmd
}

func (a *app) txnFence() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "fence TRANSACTIONAL-ID",
		Short: "Refuse the present producer from now on, and abort what it has open",
		Args:  cobra.ExactArgs(1),
		RunE: a.run(func(ctx context.Context, args []string) error {
			return a.write(ctx, metalog.FenceProducer{TransactionalID: args[0]}, a.showTransaction(args[0]))
		}),
	}
	a.dryRunFlag(cmd)
	return cmd
}

func (a *app) txnDescribe() *cobra.Command {
	return &cobra.Command{
		Use:   "describe TRANSACTIONAL-ID",
		Short: "Show a transaction",
		Args:  cobra.ExactArgs(1),
		RunE: a.run(func(ctx context.Context, args []string) error {
			return a.show(ctx, a.showTransaction(args[0]))
		}),
	}
}

func (a *app) txnList() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List all transactions: for each transactional id the open one, or the last",
		Args:  cobra.NoArgs,
		RunE: a.run(func(ctx context.Context, _ []string) error {
			return a.readViews(ctx, func(from metalog.Reader) error {
				return printList(a, "transactions", from.ListTransactions(ctx), txnColumns...)
			})
		}),
	}
}

var txnColumns = []column[events.Transaction]{
	{"TRANSACTIONAL ID", func(t events.Transaction) any { return t.TransactionalID }},
	{"STATE", func(t events.Transaction) any { return t.State }},
	{"PRODUCER", func(t events.Transaction) any { return fmt.Sprintf("%d/%d", t.ProducerID, t.ProducerEpoch) }},
	{"PARTITIONS", func(t events.Transaction) any { return len(t.Partitions) }},
	{"PENDING", func(t events.Transaction) any { return len(t.Pending) }},
	{"STARTED", func(t events.Transaction) any { return t.StartedAt }},
	{"REVISION", func(t events.Transaction) any { return t.Revision }},
}

// showTransaction prints a transaction as it is after a write.
func (a *app) showTransaction(id string) shower {
	return func(ctx context.Context, from metalog.Reader, _ metalog.Result) error {
		transaction, err := from.GetTransaction(ctx, id)
		if err != nil {
			return err
		}
		return a.printObject(transaction)
	}
}
