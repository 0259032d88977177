// Package glog writes log lines in the form of the original's programs, which people and scripts
// read in sandboxes: "I20261120 22:03:41.998418 14024 executor.cpp:210] Version: 1.12.0".
//
// The place in the source is that of ours.
package glog

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"
)

// New gives a logger that writes one line per record to w, which must take whole lines in one
// Write so that several processes can share a file.
func New(w io.Writer) *slog.Logger {
	return slog.New(&handler{mu: new(sync.Mutex), w: w})
}

type handler struct {
	mu    *sync.Mutex
	w     io.Writer
	attrs string
}

func (h *handler) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelInfo }

func (h *handler) Handle(_ context.Context, r slog.Record) error {
	severity := byte('I')
	switch {
	case r.Level >= slog.LevelError:
		severity = 'E'
	case r.Level >= slog.LevelWarn:
		severity = 'W'
	}
	place := "unknown:0"
	if r.PC != 0 {
		frame, _ := runtime.CallersFrames([]uintptr{r.PC}).Next()
		place = fmt.Sprintf("%s:%d", filepath.Base(frame.File), frame.Line)
	}
	line := appendLine(nil, severity, r.Time, os.Getpid(), place, r.Message)
	line = append(line, h.attrs...)
	r.Attrs(func(a slog.Attr) bool {
		line = fmt.Appendf(line, " %s=%v", a.Key, a.Value)
		return true
	})
	line = append(line, '\n')
	h.mu.Lock()
	defer h.mu.Unlock()
	_, err := h.w.Write(line)
	return err
}

func appendLine(dst []byte, severity byte, t time.Time, pid int, place, message string) []byte {
	dst = append(dst, severity)
	dst = t.AppendFormat(dst, "20060102 15:04:05.000000")
	return fmt.Appendf(dst, " %5d %s] %s", pid, place, message)
}

func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	next := *h
	for _, a := range attrs {
		next.attrs += fmt.Sprintf(" %s=%v", a.Key, a.Value)
	}
	return &next
}

// WithGroup ignores the name: the lines are for people.
func (h *handler) WithGroup(string) slog.Handler { return h }
