// Package s3test runs an S3-compatible server in the process, in memory. It is for the
// tests of all packages; no program imports it.
package s3test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
)

// What a server knows: whoever has the key may do all with the bucket. The secret is not
// looked at.
const (
	Bucket    = "metadata"
	AccessKey = "key"
)

// Server is a server with one bucket.
type Server struct {
	*httptest.Server
	fail atomic.Pointer[func(*http.Request) bool]
}

// Start starts a server. The caller closes it.
func Start() (*Server, error) {
	backend := s3mem.New()
	if err := backend.CreateBucket(Bucket); err != nil {
		return nil, err
	}
	objects := gofakes3.New(backend).Server()
	s := &Server{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fail := s.fail.Load()
		switch {
		case !strings.Contains(r.Header.Get("Authorization"), "Credential="+AccessKey+"/"):
			refuse(w, http.StatusForbidden, "InvalidAccessKeyId", "The access key\n does not exist.")
		case fail != nil && (*fail)(r):
			refuse(w, http.StatusInternalServerError, "InternalError", "no")
		default:
			objects.ServeHTTP(w, r)
		}
	}))
	return s, nil
}

func refuse(w http.ResponseWriter, status int, code, message string) {
	w.WriteHeader(status)
	_, _ = io.WriteString(w, "<Error><Code>"+code+"</Code><Message>"+message+"</Message></Error>") // who asked has gone, then
}

// Fail has requests fail that which says so of; nil: none. It is called from many
// goroutines.
func (s *Server) Fail(which func(*http.Request) bool) {
	if which == nil {
		s.fail.Store(nil)
		return
	}
	s.fail.Store(&which)
}

// Location is that of an archive in the bucket.
func (s *Server) Location(prefix string) string {
	return "s3://" + Bucket + "/" + prefix + "?endpoint=" + s.URL + "&region=us-east-1"
}
