package archive

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/metalog/metalog/events"
)

// A server that stops in the midst of an answer does not hold up who reads.
func TestBucketStalls(t *testing.T) {
	s3Key(t, "key")
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "1000")
		w.Header().Set("Last-Modified", time.Unix(1, 0).UTC().Format(http.TimeFormat))
		_, _ = w.Write(bytes.Repeat([]byte("x"), 100))
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}))
	t.Cleanup(s.Close)
	p := mustOpenPlace(t, "s3://b/p?region=us-east-1&endpoint="+s.URL)
	p.(*bucket).idle = 20 * time.Millisecond
	if data, err := read(t.Context(), p, "file", 0, -1); !errors.Is(err, events.ErrUnavailable) {
		t.Errorf("read %d bytes, %v; want ErrUnavailable", len(data), err)
	}
}
