package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"stoa/internal/flags"
)

// logging is a daemon's logger and the file it writes, if any.
type logging struct {
	*slog.Logger
	file string
	done func()
}

// newLogging follows --logging_level, --quiet and --log_dir (src/logging/flags.cpp).
// With a directory the log is also written to <dir>/<program>.INFO, the name that
// the original's symbolic link to its newest file has.
func newLogging(v *flags.Values, program string) (*logging, error) {
	l := &logging{done: func() {}}
	level, err := levelOf(v.String("logging_level"))
	if err != nil {
		return nil, err
	}
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
	l.Logger = slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: level}))
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
