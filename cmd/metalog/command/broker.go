package command

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
)

func (a *app) brokerCommand() *cobra.Command {
	return a.noun("broker", "Brokers",
		a.brokerRegister(), a.brokerList(), a.brokerDescribe(), a.brokerStatus(), a.brokerRemove())
}

func (a *app) brokerRegister() *cobra.Command {
	c := metalog.RegisterBroker{}
	cmd := &cobra.Command{
		Use:   "register",
		Short: "Make a broker a member, online and with a new epoch",
		Example: "  metalog broker register --id 1 --host kafka1.example.org --port 9092 --rack a\n" +
			"  metalog broker register --id 1 --host kafka1 --port 9092 --endpoints ssl=kafka1.example.org:9093",
		Args: cobra.NoArgs,
		RunE: a.run(func(ctx context.Context, _ []string) error {
			return a.write(ctx, c, a.showBroker(c.ID))
		}),
	}
	f := cmd.Flags()
	f.Int32Var(&c.ID, "id", 0, "id")
	f.StringVar(&c.Host, "host", "", "host that it listens on")
	f.Int32Var(&c.Port, "port", 9092, "port that it listens on")
	f.StringVar(&c.Rack, "rack", "", "rack")
	f.Var(endpoints{&c.Endpoints}, "endpoints", "another address `NAME=HOST:PORT`, repeatable")
	f.Var(uuidFlag{&c.IncarnationID}, "incarnation-id", "UUID of this run of the broker (default: a fresh one)")
	require(cmd, "id", "host")
	return cmd
}

func (a *app) brokerList() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List all brokers",
		Args:  cobra.NoArgs,
		RunE: a.run(func(ctx context.Context, _ []string) error {
			return a.readViews(ctx, func(from metalog.Reader) error {
				return printList(a, "brokers", from.ListBrokers(ctx), brokerColumns...)
			})
		}),
	}
}

var brokerColumns = []column[events.Broker]{
	{"ID", func(b events.Broker) any { return b.ID }},
	{"HOST", func(b events.Broker) any { return b.Host }},
	{"PORT", func(b events.Broker) any { return b.Port }},
	{"RACK", func(b events.Broker) any { return b.Rack }},
	{"STATUS", func(b events.Broker) any { return b.Status }},
	{"EPOCH", func(b events.Broker) any { return b.Epoch }},
	{"REVISION", func(b events.Broker) any { return b.Revision }},
}

func (a *app) brokerDescribe() *cobra.Command {
	return &cobra.Command{
		Use:   "describe ID",
		Short: "Show a broker",
		Args:  cobra.ExactArgs(1),
		RunE: a.run(func(ctx context.Context, args []string) error {
			id, err := int32Arg("ID", args[0])
			if err != nil {
				return err
			}
			return a.show(ctx, a.showBroker(id))
		}),
	}
}

func (a *app) brokerStatus() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "status ID online|offline|maintenance",
		Short: "Take a broker offline, into maintenance or online",
		Long: `Take a broker offline, into maintenance or online. Offline, it leaves the in-sync
replicas, and what it led gets another leader; online, partitions without a leader
get one. In maintenance it keeps what it has and is elected for nothing new.`,
		Example:   "  metalog broker status 3 offline --dry-run",
		Args:      cobra.ExactArgs(2),
		ValidArgs: []string{"online", "offline", "maintenance"},
		RunE: a.run(func(ctx context.Context, args []string) error {
			id, err := int32Arg("ID", args[0])
			if err != nil {
				return err
			}
			status := events.BrokerStatus(strings.ToLower(args[1]))
			return a.write(ctx, metalog.SetBrokerStatus{ID: id, Status: status}, a.showBroker(id))
		}),
	}
	a.dryRunFlag(cmd)
	return cmd
}

func (a *app) brokerRemove() *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:     "remove ID",
		Short:   "Remove a broker that holds no partition",
		Example: "  metalog broker remove 3 --force --dry-run",
		Args:    cobra.ExactArgs(1),
		RunE: a.run(func(ctx context.Context, args []string) error {
			id, err := int32Arg("ID", args[0])
			if err != nil {
				return err
			}
			return a.write(ctx, metalog.RemoveBroker{ID: id, Force: force}, a.showDone("removed broker "+args[0]))
		}),
	}
	cmd.Flags().BoolVar(&force, "force", false, "even if it is a replica: those partitions lose it")
	a.dryRunFlag(cmd)
	return cmd
}

// showBroker prints a broker as it is after a write.
func (a *app) showBroker(id int32) shower {
	return func(ctx context.Context, from metalog.Reader, _ metalog.Result) error {
		broker, err := from.GetBroker(ctx, id)
		if err != nil {
			return err
		}
		return a.printObject(broker)
	}
}

// endpoints is a repeatable flag of addresses.
type endpoints struct{ list *[]events.Endpoint }

var _ pflag.Value = endpoints{}

func (l endpoints) Set(s string) error {
	name, address, ok := strings.Cut(s, "=")
	colon := strings.LastIndex(address, ":")
	if !ok || colon < 0 {
		return fmt.Errorf("%q is not NAME=HOST:PORT", s)
	}
	port, err := parseInt32(address[colon+1:])
	*l.list = append(*l.list, events.Endpoint{Name: name, Host: address[:colon], Port: port})
	return err
}

func (l endpoints) String() string { return "" }
func (l endpoints) Type() string   { return "endpoint" }

// uuidFlag is a flag of a UUID.
type uuidFlag struct{ id *uuid.UUID }

var _ pflag.Value = uuidFlag{}

func (u uuidFlag) Set(s string) (err error) {
	*u.id, err = uuid.Parse(s)
	return err
}

func (u uuidFlag) String() string { return "" }
func (u uuidFlag) Type() string   { return "uuid" }
