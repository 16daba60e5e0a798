package peers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// postgresCluster is a server process that listens on the loopback interface.
type postgresCluster struct {
	dir    string
	url    url.URL             // where it listens
	as     *syscall.Credential // PostgreSQL refuses to run as root; nil: as this process
	server *exec.Cmd
	output bytes.Buffer // of server, to be read once it has ended
	ended  chan struct{}
}

const (
	postgresStart = time.Minute
	postgresPoll  = 20 * time.Millisecond
)

func startPostgres(ctx context.Context, dir string) (*postgresCluster, error) {
	c := &postgresCluster{dir: dir, ended: make(chan struct{})}
	if err := c.prepare(ctx); err != nil {
		return nil, err
	}
	server, err := postgresProgram("postgres")
	if err != nil {
		return nil, err
	}
	urls, err := freeURLs(1)
	if err != nil {
		return nil, err
	}
	c.url = urls[0]
	c.server = c.command(context.Background(), server, "-D", c.data(), "-p", c.url.Port(),
		"-c", "listen_addresses="+c.url.Hostname(), "-c", "unix_socket_directories=")
	c.server.Stdout, c.server.Stderr = &c.output, &c.output
	if err := c.server.Start(); err != nil {
		return nil, fmt.Errorf("postgres: %w", err)
	}
	go func() {
		_ = c.server.Wait() // how it ended is told by output
		close(c.ended)
	}()
	if err := c.waitReady(ctx); err != nil {
		return nil, errors.Join(err, c.stop())
	}
	return c, nil
}

func (c *postgresCluster) data() string { return filepath.Join(c.dir, "data") }

func (c *postgresCluster) address() string {
	return "postgres://bench@" + c.url.Host + "/postgres?sslmode=disable"
}

// prepare makes the directory, and a new cluster in it if there is none.
func (c *postgresCluster) prepare(ctx context.Context) (err error) {
	if c.as, err = otherUser(); err != nil {
		return err
	}
	if err := os.MkdirAll(c.dir, 0o755); err != nil {
		return err
	}
	if _, err := os.Stat(c.data()); err == nil {
		return nil
	}
	if c.as != nil {
		if err := os.Chown(c.dir, int(c.as.Uid), int(c.as.Gid)); err != nil {
			return err
		}
	}
	initdb, err := postgresProgram("initdb")
	if err != nil {
		return err
	}
	out, err := c.command(ctx, initdb, "-D", c.data(), "-U", "bench", "-A", "trust", "-E", "UTF8", "--locale=C").CombinedOutput()
	if err != nil {
		return fmt.Errorf("initdb: %w: %s; PostgreSQL's user must be able to enter every directory above %s", err, bytes.TrimSpace(out), c.dir)
	}
	return nil
}

// otherUser is whom a process of root runs PostgreSQL as.
func otherUser() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		found, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uidErr := strconv.ParseUint(found.Uid, 10, 32)
		gid, gidErr := strconv.ParseUint(found.Gid, 10, 32)
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, errors.Join(uidErr, gidErr)
	}
	return nil, errors.New("PostgreSQL does not run as root, and there is neither a user postgres nor nobody; run the suite as another user")
}

// command is one of the server's programs. It has a process group of its own, so
// that an interrupt reaches it only through stop.
func (c *postgresCluster) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = c.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: c.as}
	for _, variable := range os.Environ() {
		if !strings.HasPrefix(variable, "PG") { // such as PGDATA
			cmd.Env = append(cmd.Env, variable)
		}
	}
	return cmd
}

// waitReady tries until the server takes a connection.
func (c *postgresCluster) waitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, postgresStart)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, c.address())
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-c.ended:
			return fmt.Errorf("postgres ended: %s", bytes.TrimSpace(c.output.Bytes()))
		case <-ctx.Done():
			return fmt.Errorf("postgres is not ready: %w", err)
		case <-time.After(postgresPoll):
		}
	}
}

// stop has the server end at once what its clients do, and write all that it has.
func (c *postgresCluster) stop() error {
	select {
	case <-c.ended:
		return nil
	default:
	}
	if err := c.server.Process.Signal(syscall.SIGINT); err != nil {
		return err
	}
	<-c.ended
	return nil
}
