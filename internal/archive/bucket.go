package archive

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/metalog/metalog/events"
)

// bucket is a place in an S3-compatible store, which replaces objects whole and
// keeps them durably.
type bucket struct {
	location string
	name     string
	prefix   string // of all names; empty, or ends with a slash
	client   *minio.Client
	idle     time.Duration // bounds the wait for the next part of an answer
}

const (
	amazon = "https://s3.amazonaws.com"
	// wholeBytes is up to what size an object is sent in one request; larger ones
	// are sent in parts of that size.
	wholeBytes = 16 << 20
	// maxRetries is how often a request is tried in all when the server does not
	// answer or is busy.
	maxRetries = 3
	// answerTimeout bounds the wait for the beginning of an answer, and for each part
	// that follows.
	answerTimeout = 30 * time.Second
)

// newBucket reads s3://BUCKET/PREFIX?endpoint=URL&region=NAME.
func newBucket(location string) (*bucket, error) {
	u, err := url.Parse(location)
	if err != nil {
		return nil, events.Errorf(events.CodeInvalid, "archive: the location can't be read; it is s3://BUCKET/PREFIX?endpoint=URL&region=NAME")
	}
	query := u.Query()
	for key := range query {
		if key != "endpoint" && key != "region" {
			return nil, events.Errorf(events.CodeInvalid, "archive %s: %q is not known; it is s3://BUCKET/PREFIX?endpoint=URL&region=NAME", u.Redacted(), key)
		}
	}
	if u.Host == "" || u.Opaque != "" || u.User != nil || u.Fragment != "" {
		return nil, events.Errorf(events.CodeInvalid, "archive %q: it is s3://BUCKET/PREFIX?endpoint=URL&region=NAME; credentials come from the environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY)", u.Redacted())
	}
	b := &bucket{location: location, name: u.Host, idle: answerTimeout}
	if prefix := strings.Trim(path.Clean(u.Path), "/."); prefix != "" {
		b.prefix = prefix + "/"
	}
	return b, b.connect(query.Get("endpoint"), query.Get("region"))
}

// connect makes the client. It does not call the server.
func (b *bucket) connect(endpoint, region string) error {
	if endpoint == "" {
		endpoint = amazon
	}
	at, err := url.Parse(endpoint)
	if err != nil || at.Host == "" || at.Scheme != "http" && at.Scheme != "https" || at.User != nil || strings.Trim(at.Path, "/") != "" {
		return events.Errorf(events.CodeInvalid, "archive s3://%s: endpoint %q is no address; it is https://HOST or http://HOST:PORT", b.name, redacted(endpoint))
	}
	transport, err := minio.DefaultTransport(at.Scheme == "https")
	if err != nil {
		return events.Errorf(events.CodeUnavailable, "archive %s: %w", b, err)
	}
	transport.ResponseHeaderTimeout = answerTimeout
	b.client, err = minio.New(at.Host, &minio.Options{
		Creds:      s3Credentials(),
		Secure:     at.Scheme == "https",
		Region:     region,
		Transport:  transport,
		MaxRetries: maxRetries,
	})
	if err != nil {
		return events.Errorf(events.CodeInvalid, "archive %s: %w", b, err)
	}
	return nil
}

// s3Credentials looks for credentials where other S3 programs do: environment,
// credentials file, the machine's role.
func s3Credentials() *credentials.Credentials {
	return credentials.NewChainCredentials([]credentials.Provider{
		&credentials.EnvAWS{},
		&credentials.EnvMinio{},
		&credentials.FileAWSCredentials{},
		&credentials.IAM{Client: &http.Client{Timeout: answerTimeout}},
	})
}

func (b *bucket) String() string { return b.location }

// failed gives an error of the store a code and says what to do.
func (b *bucket) failed(what, name string, err error) error {
	var coded *events.Error
	if err == nil || errors.As(err, &coded) {
		return err
	}
	told := minio.ToErrorResponse(err)
	switch told.Code {
	case minio.NoSuchKey, minio.NoSuchUpload:
		return &fs.PathError{Op: what, Path: name, Err: fs.ErrNotExist}
	case minio.NoSuchBucket:
		return events.Errorf(events.CodeNotFound, "archive %s: there is no bucket %s; create it", b, b.name)
	case minio.AccessDenied, minio.InvalidAccessKeyID, minio.SignatureDoesNotMatch, "InvalidToken", "ExpiredToken", "AuthorizationHeaderMalformed":
		return events.Errorf(events.CodeForbidden, "archive %s: %s %s: %s; check the credentials (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY) and what they may do", b, what, name, oneLine(told.Code+": "+told.Message))
	}
	return events.Errorf(events.CodeUnavailable, "archive %s: %s %s: %s; check the address, and try again", b, what, name, oneLine(err.Error()))
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

func (b *bucket) Put(ctx context.Context, name string, write func(io.Writer) error) error {
	r, w := io.Pipe()
	written := make(chan struct{})
	go func() {
		defer close(written)
		w.CloseWithError(write(w)) // nil: the end
	}()
	err := b.send(ctx, name, r)
	r.CloseWithError(errors.New("the object was not stored")) // ends write, if it is not over
	<-written
	return b.failed("write", name, err)
}

// send stores what r gives.
func (b *bucket) send(ctx context.Context, name string, r io.Reader) error {
	var begin bytes.Buffer
	n, err := io.CopyN(&begin, r, wholeBytes)
	opts := minio.PutObjectOptions{
		ContentType: "application/octet-stream",
		PartSize:    wholeBytes,
		// Not every store knows payloads that are signed in chunks. What was stored is
		// read back and compared anyway.
		DisableContentSha256: true,
		SendContentMd5:       true,
	}
	switch {
	case err == nil:
		_, err = b.client.PutObject(ctx, b.name, b.prefix+name, io.MultiReader(&begin, r), -1, opts)
	case errors.Is(err, io.EOF):
		_, err = b.client.PutObject(ctx, b.name, b.prefix+name, bytes.NewReader(begin.Bytes()), n, opts)
	}
	return err
}

func (b *bucket) Get(ctx context.Context, name string, offset, n int64) (io.ReadCloser, error) {
	var opts minio.GetObjectOptions
	var err error
	switch {
	case n > 0:
		err = opts.SetRange(offset, offset+n-1)
	case offset > 0:
		err = opts.SetRange(offset, 0)
	}
	if err != nil {
		return nil, b.failed("read", name, err)
	}
	core := minio.Core{Client: b.client}
	ctx, cancel := context.WithCancelCause(ctx)
	body, _, _, err := core.GetObject(ctx, b.name, b.prefix+name, opts)
	if err != nil {
		cancel(nil)
		return nil, b.failed("read", name, err)
	}
	stalled := events.Errorf(events.CodeUnavailable, "archive %s: read %s: the server sent nothing for %s; try again", b, name, b.idle)
	return &answer{ctx, cancel, body, b.idle, stalled}, nil
}

// answer reads what a server sends, and gives up when it sends nothing for a while.
type answer struct {
	ctx     context.Context // of the request
	cancel  context.CancelCauseFunc
	body    io.ReadCloser
	idle    time.Duration
	stalled error
}

func (a *answer) Read(p []byte) (int, error) {
	timer := time.AfterFunc(a.idle, func() { a.cancel(a.stalled) })
	n, err := a.body.Read(p)
	timer.Stop()
	if err != nil && !errors.Is(err, io.EOF) && errors.Is(context.Cause(a.ctx), a.stalled) {
		err = a.stalled
	}
	return n, err
}

func (a *answer) Close() error {
	a.cancel(nil)
	return a.body.Close()
}

func (b *bucket) List(ctx context.Context, dir string) ([]Item, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the listing, should it stop with an error
	prefix := b.prefix
	if dir != "" {
		prefix += dir + "/"
	}
	var items []Item
	for object := range b.client.ListObjectsIter(ctx, b.name, minio.ListObjectsOptions{Prefix: prefix, Recursive: true}) {
		if object.Err != nil {
			return nil, b.failed("list", dir, object.Err)
		}
		items = append(items, Item{strings.TrimPrefix(object.Key, b.prefix), object.Size})
	}
	return items, nil
}

func (b *bucket) Remove(ctx context.Context, names ...string) error {
	for _, name := range names {
		err := b.client.RemoveObject(ctx, b.name, b.prefix+name, minio.RemoveObjectOptions{})
		if err := b.failed("remove", name, err); err != nil && !notThere(err) {
			return err
		}
	}
	return nil
}

// Sweep gives up uploads in parts that were not finished: they cost, and nobody
// sees them.
func (b *bucket) Sweep(ctx context.Context, ours func(name string) bool) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the listing, should it stop with an error
	for upload := range b.client.ListIncompleteUploads(ctx, b.name, b.prefix, true) {
		err := upload.Err
		if err == nil && !ours(strings.TrimPrefix(upload.Key, b.prefix)) {
			continue
		}
		if err == nil {
			err = b.client.RemoveIncompleteUpload(ctx, b.name, upload.Key)
		}
		if err := b.failed("sweep", upload.Key, err); err != nil && !notThere(err) {
			return err
		}
	}
	return nil
}
