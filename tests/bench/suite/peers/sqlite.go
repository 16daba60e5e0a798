package peers

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"net/url"
	"path/filepath"
	"sync"

	_ "modernc.org/sqlite" // the driver, which needs no C compiler
)

// sqliteStore has one connection that writes, for which writers queue, and others
// that read: SQLite lets one write at a time.
type sqliteStore struct {
	writer, readers *sql.DB

	mu          sync.Mutex // held by who writes
	put, del    *sql.Stmt  // of writer
	get, listed *sql.Stmt
}

const (
	sqlitePut  = "INSERT INTO rows (k, v) VALUES (?, ?) ON CONFLICT (k) DO UPDATE SET v = excluded.v"
	sqliteDel  = "DELETE FROM rows WHERE k = ?"
	sqliteGet  = "SELECT v FROM rows WHERE k = ?"
	sqliteList = "SELECT k, v FROM rows WHERE k >= ? AND k < ? ORDER BY k"
)

func openSQLite(ctx context.Context, dir string, clients int) (Store, error) {
	s := &sqliteStore{}
	pragmas := url.Values{"_pragma": {"journal_mode(WAL)", "synchronous(FULL)", "busy_timeout(10000)", "cache_size(-65536)"}}
	dsn := "file:" + filepath.Join(dir, "rows.sqlite") + "?" + pragmas.Encode()
	err := s.open(ctx, dsn, clients)
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *sqliteStore) open(ctx context.Context, dsn string, clients int) (err error) {
	if s.writer, err = sql.Open("sqlite", dsn); err != nil {
		return err
	}
	s.writer.SetMaxOpenConns(1)
	if _, err := s.writer.ExecContext(ctx, "CREATE TABLE IF NOT EXISTS rows (k BLOB PRIMARY KEY, v BLOB NOT NULL) WITHOUT ROWID"); err != nil {
		return err
	}
	if s.readers, err = sql.Open("sqlite", dsn); err != nil {
		return err
	}
	s.readers.SetMaxOpenConns(min(clients, 8))
	s.readers.SetMaxIdleConns(min(clients, 8))
	for _, p := range []struct {
		stmt **sql.Stmt
		db   *sql.DB
		text string
	}{{&s.put, s.writer, sqlitePut}, {&s.del, s.writer, sqliteDel}, {&s.get, s.readers, sqliteGet}, {&s.listed, s.readers, sqliteList}} {
		if *p.stmt, err = p.db.PrepareContext(ctx, p.text); err != nil {
			return err
		}
	}
	return nil
}

func (s *sqliteStore) Apply(ctx context.Context, batch Batch) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(batch.Puts) == 1 && len(batch.Deletes) == 0 {
		_, err := s.put.ExecContext(ctx, batch.Puts[0].Key, batch.Puts[0].Value)
		return err
	}
	return s.transaction(ctx, func(put, del *sql.Stmt) error {
		for _, row := range batch.Puts {
			if _, err := put.ExecContext(ctx, row.Key, row.Value); err != nil {
				return err
			}
		}
		for _, key := range batch.Deletes {
			if _, err := del.ExecContext(ctx, key); err != nil {
				return err
			}
		}
		return nil
	})
}

// transaction does work in one; the caller holds mu.
func (s *sqliteStore) transaction(ctx context.Context, work func(put, del *sql.Stmt) error) error {
	tx, err := s.writer.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := work(tx.StmtContext(ctx, s.put), tx.StmtContext(ctx, s.del)); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

func (s *sqliteStore) DeletePrefix(ctx context.Context, prefix []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err := s.writer.ExecContext(ctx, "DELETE FROM rows WHERE k >= ? AND k < ?", prefix, after(prefix))
	return err
}

func (s *sqliteStore) Get(ctx context.Context, key []byte) (value []byte, err error) {
	err = s.get.QueryRowContext(ctx, key).Scan(&value)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, ErrNotFound
	}
	return value, err
}

func (s *sqliteStore) List(ctx context.Context, prefix []byte, found func(key, value []byte)) error {
	rows, err := s.listed.QueryContext(ctx, prefix, after(prefix))
	if err != nil {
		return err
	}
	defer rows.Close() //nolint:errcheck // Err tells
	for rows.Next() {
		var key, value sql.RawBytes
		if err := rows.Scan(&key, &value); err != nil {
			return err
		}
		found(key, value)
	}
	return rows.Err()
}

func (s *sqliteStore) Load(ctx context.Context, rows iter.Seq[Row]) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := inBatches(rows, 100_000, func(rows []Row) error {
		return s.transaction(ctx, func(put, _ *sql.Stmt) error {
			for _, row := range rows {
				if _, err := put.ExecContext(ctx, row.Key, row.Value); err != nil {
					return err
				}
			}
			return nil
		})
	})
	if err != nil {
		return err
	}
	if _, err := s.writer.ExecContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	return nil
}

func (s *sqliteStore) Close() error {
	var errs []error
	for _, db := range []*sql.DB{s.readers, s.writer} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	return errors.Join(errs...)
}
