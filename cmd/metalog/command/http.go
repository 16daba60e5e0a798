package command

import (
	"fmt"
	"net/http"
)

// routes are what HTTP answers.
func (s *server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", s.serveReady)
	mux.Handle("GET /metrics", s.metrics.handler())
	return mux
}

// serveReady tells whether the server takes writes and publishes them.
func (s *server) serveReady(w http.ResponseWriter, r *http.Request) {
	if err := s.ready(r.Context()); err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ready")
}

// httpText tells people where HTTP listens.
func (s *server) httpText() string {
	if s.http == nil {
		return "none"
	}
	return fmt.Sprintf("http://%s (/healthz, /readyz, /metrics)", s.http.Addr())
}
