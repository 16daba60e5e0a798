package peers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// postgresStore is a private cluster with the defaults of a new one, so with fsync
// and synchronous_commit, and clients over the loopback interface.
type postgresStore struct {
	cluster *postgresCluster
	pool    *pgxpool.Pool
}

// postgresConns bounds the connections. More clients share them: that is faster
// than a process for each.
const postgresConns = 64

const (
	postgresPut    = "INSERT INTO rows (k, v) SELECT * FROM unnest($1::bytea[], $2::bytea[]) ON CONFLICT (k) DO UPDATE SET v = excluded.v"
	postgresPutDel = "WITH gone AS (DELETE FROM rows WHERE k = ANY ($3::bytea[])) " + postgresPut
	postgresGet    = "SELECT v FROM rows WHERE k = $1"
	postgresList   = "SELECT k, v FROM rows WHERE k >= $1 AND k < $2 ORDER BY k"
)

func openPostgres(ctx context.Context, dir string, clients int) (Store, error) {
	cluster, err := startPostgres(ctx, filepath.Join(dir, "postgres"))
	if err != nil {
		return nil, err
	}
	s := &postgresStore{cluster: cluster}
	if err := s.connect(ctx, clients); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *postgresStore) connect(ctx context.Context, clients int) error {
	config, err := pgxpool.ParseConfig(s.cluster.address())
	if err != nil {
		return err
	}
	config.MaxConns = int32(min(clients, postgresConns))
	if s.pool, err = pgxpool.NewWithConfig(ctx, config); err != nil {
		return err
	}
	if _, err := s.pool.Exec(ctx, "CREATE TABLE IF NOT EXISTS rows (k bytea PRIMARY KEY, v bytea NOT NULL)"); err != nil {
		return err
	}
	return s.connectAll(ctx)
}

// connectAll opens all connections, for which the first clients would wait else.
func (s *postgresStore) connectAll(ctx context.Context) error {
	for range s.pool.Config().MaxConns {
		conn, err := s.pool.Acquire(ctx)
		if err != nil {
			return err
		}
		defer conn.Release() // not before all are open
	}
	return nil
}

// Apply is one statement, which pgx prepares once for each connection. It takes the
// rows in key order, so that no two wait for each other.
func (s *postgresStore) Apply(ctx context.Context, batch Batch) error {
	rows := slices.SortedFunc(slices.Values(batch.Puts), func(a, b Row) int { return bytes.Compare(a.Key, b.Key) })
	keys, values := make([][]byte, len(rows)), make([][]byte, len(rows))
	for i, row := range rows {
		keys[i], values[i] = row.Key, row.Value
	}
	var err error
	if len(batch.Deletes) == 0 {
		_, err = s.pool.Exec(ctx, postgresPut, keys, values)
	} else {
		_, err = s.pool.Exec(ctx, postgresPutDel, keys, values, batch.Deletes)
	}
	return err
}

func (s *postgresStore) DeletePrefix(ctx context.Context, prefix []byte) error {
	_, err := s.pool.Exec(ctx, "DELETE FROM rows WHERE k >= $1 AND k < $2", prefix, after(prefix))
	return err
}

func (s *postgresStore) Get(ctx context.Context, key []byte) (value []byte, err error) {
	err = s.pool.QueryRow(ctx, postgresGet, key).Scan(&value)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, ErrNotFound
	}
	return value, err
}

func (s *postgresStore) List(ctx context.Context, prefix []byte, found func(key, value []byte)) error {
	rows, err := s.pool.Query(ctx, postgresList, prefix, after(prefix))
	if err != nil {
		return err
	}
	var key, value []byte
	_, err = pgx.ForEachRow(rows, []any{&key, &value}, func() error {
		found(key, value)
		return nil
	})
	return err
}

func (s *postgresStore) Load(ctx context.Context, rows iter.Seq[Row]) error {
	next, stop := iter.Pull(rows)
	defer stop()
	_, err := s.pool.CopyFrom(ctx, pgx.Identifier{"rows"}, []string{"k", "v"}, pgx.CopyFromFunc(func() ([]any, error) {
		row, more := next()
		if !more {
			return nil, nil
		}
		return []any{row.Key, row.Value}, nil
	}))
	if err != nil {
		return err
	}
	_, err = s.pool.Exec(ctx, "VACUUM ANALYZE rows")
	return err
}

func (s *postgresStore) Close() error {
	if s.pool != nil {
		s.pool.Close()
	}
	return s.cluster.stop()
}

// findPostgres tells whether the server's programs are there.
func findPostgres() error {
	_, err := postgresProgram("initdb")
	return err
}

// postgresProgram finds a program of the server on the path, or where Debian has it.
func postgresProgram(name string) (string, error) {
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		if path := filepath.Join(dir, name); isProgram(path) {
			return path, nil
		}
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if err != nil || len(found) == 0 {
		return "", fmt.Errorf("no %s on the path or in /usr/lib/postgresql; install PostgreSQL's server", name)
	}
	return found[len(found)-1], nil
}

func isProgram(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o111 != 0
}
