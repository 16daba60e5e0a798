package natsserver

import (
	"fmt"
	"log/slog"
	"sync"
)

// logger hands the server's log to slog and keeps the first fatal line: it is
// how the server reports that it could not start.
type logger struct {
	out *slog.Logger

	mu    sync.Mutex
	fatal string // guarded by mu
}

func (l *logger) Noticef(format string, v ...any) { l.out.Debug(fmt.Sprintf(format, v...)) }
func (l *logger) Debugf(format string, v ...any)  { l.out.Debug(fmt.Sprintf(format, v...)) }
func (l *logger) Tracef(format string, v ...any)  { l.out.Debug(fmt.Sprintf(format, v...)) }
func (l *logger) Warnf(format string, v ...any)   { l.out.Warn(fmt.Sprintf(format, v...)) }
func (l *logger) Errorf(format string, v ...any)  { l.out.Error(fmt.Sprintf(format, v...)) }

// Fatalf does not end the process: Start reports the line as its error.
func (l *logger) Fatalf(format string, v ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fatal == "" {
		l.fatal = fmt.Sprintf(format, v...)
	}
}

func (l *logger) fatalLine() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fatal
}
