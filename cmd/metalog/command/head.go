package command

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/replay"
)

func (a *app) headCommand() *cobra.Command {
	return a.noun("head", "Sign the log's head, for a later check", a.headKeygen(), a.headSign())
}

func (a *app) headKeygen() *cobra.Command {
	var file, name string
	cmd := &cobra.Command{
		Use:   "keygen --key FILE",
		Short: "Make a key to sign heads, and print its public half",
		Long: `Make an Ed25519 key to sign heads. The private half goes into a new file that only
its owner can read; keep it away from the data directory. The public half is printed,
for those who check.`,
		Example: "  metalog head keygen --key head.key --name metalog.example.org > head.pub",
		Args:    cobra.NoArgs,
		RunE: a.run(func(context.Context, []string) error {
			private, public, err := replay.NewHeadKey(name)
			if err != nil {
				return err
			}
			if err := writeKey(file, private); err != nil {
				return err
			}
			return a.say(map[string]string{"public_key": public}, "%s", public)
		}),
	}
	f := cmd.Flags()
	f.StringVar(&file, "key", "", "new `file` for the private key")
	f.StringVar(&name, "name", "metalog", "who signs: shown in each signature")
	require(cmd, "key")
	return cmd
}

// writeKey writes a private key into a new file: one that is there may be in
// use, and signatures by it would have no key any more.
func writeKey(path, key string) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return events.Errorf(events.CodeAlreadyExists, "%s: the file exists; name a new one", path)
	}
	if err != nil {
		return usageError{err}
	}
	_, err = fmt.Fprintln(file, key)
	if err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

// signedHead is a signed head as programs get it.
type signedHead struct {
	LogID string      `json:"log_id"`
	Head  events.Head `json:"head"`
	Note  string      `json:"note"`
}

func (a *app) headSign() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "sign --key FILE",
		Short: "Print the log's head as a signed note",
		Long: `Print the log's head (its id, last seq and hash) as a signed note, in the C2SP
signed-note format. Keep it elsewhere: 'metalog verify --signed' finds whether the log
still has that record, and any tool for signed notes checks the signature.`,
		Example: "  metalog head sign --key head.key > head-$(date +%F).txt",
		Args:    cobra.NoArgs,
		RunE: a.run(func(ctx context.Context, _ []string) error {
			key, err := os.ReadFile(file)
			if err != nil {
				return usageError{err}
			}
			return a.read(ctx, func(store fullStore) error {
				return a.signHead(ctx, store, string(key))
			})
		}),
	}
	cmd.Flags().StringVar(&file, "key", "", "`file` with the private key")
	require(cmd, "key")
	return cmd
}

func (a *app) signHead(ctx context.Context, store metalog.MetadataStore, key string) error {
	info, err := store.Info(ctx)
	if err != nil {
		return err
	}
	note, err := replay.SignHead(replay.SignedHead{LogID: info.LogID, Head: info.Head}, key)
	if err != nil {
		return err
	}
	if a.format != formatTable {
		return a.printValue(signedHead{info.LogID.String(), info.Head, string(note)})
	}
	_, err = a.out.Write(note)
	return err
}
