package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"stoa/internal/flags"
)

// logging is a daemon's logger and the file it writes, if any.
type logging struct {
	*slog.Logger
	// level is what is logged now; base is what the flags asked for.
	level *slog.LevelVar
	base  slog.Level
	file  string
	done  func()

	mu    sync.Mutex
	reset *time.Timer
}

// verbosity is 0 for the level of the flags and 1 for everything: glog's -v.
func (l *logging) verbosity() int {
	if l.level.Level() < l.base {
		return 1
	}
	return 0
}

// setVerbosity logs everything for a while (3rdparty/libprocess/src/logging.cpp).
func (l *logging) setVerbosity(level int, d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.reset != nil {
		l.reset.Stop()
		l.reset = nil
	}
	if level <= 0 {
		l.level.Set(l.base)
		return
	}
	l.level.Set(slog.LevelDebug)
	l.reset = time.AfterFunc(d, func() { l.level.Set(l.base) })
}

// of is the same log with the name of one of several daemons on each line.
func (l *logging) of(daemon string) *logging {
	return &logging{Logger: l.With("daemon", daemon), level: l.level, base: l.base, done: func() {}}
}

// newLogging follows --logging_level, --quiet and --log_dir (src/logging/flags.cpp).
// With a directory the log is also written to <dir>/<program>.INFO, the name that
// the original's symbolic link to its newest file has.
func newLogging(v *flags.Values, program string) (*logging, error) {
	base, err := levelOf(v.String("logging_level"))
	if err != nil {
		return nil, err
	}
	l := &logging{level: &slog.LevelVar{}, base: base, done: func() {}}
	l.level.Set(base)
	var out io.Writer = os.Stderr
	if quiet := program != "marathon" && v.Bool("quiet"); quiet {
		out = io.Discard
	}
	if dir := v.String("log_dir"); dir != "" {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, fmt.Errorf("make --log_dir: %w", err)
		}
		l.file = filepath.Join(dir, program+".INFO")
		f, err := os.OpenFile(l.file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
		if err != nil {
			return nil, fmt.Errorf("open the log in --log_dir: %w", err)
		}
		l.done = func() { f.Close() }
		out = io.MultiWriter(out, f)
	}
	l.Logger = slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: l.level}))
	for _, w := range v.Warnings {
		l.Warn(w)
	}
	return l, nil
}

func levelOf(name string) (slog.Level, error) {
	switch strings.ToUpper(name) {
	case "DEBUG", "TRACE", "ALL":
		return slog.LevelDebug, nil
	case "INFO", "":
		return slog.LevelInfo, nil
	case "WARN", "WARNING":
		return slog.LevelWarn, nil
	case "ERROR", "FATAL", "OFF":
		return slog.LevelError, nil
	}
	return 0, fmt.Errorf("--logging_level=%s: say INFO, WARNING or ERROR", name)
}

// reportUnread says once which given flags change nothing.
func reportUnread(log *slog.Logger, v *flags.Values) {
	for _, name := range v.Unread() {
		log.Warn("flag has no effect in this version", "flag", "--"+name)
	}
}
