package main

import (
	"errors"
	"net"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func TestPortThatIsAboutToBeFreeIsWaitedFor(t *testing.T) {
	busy := &net.OpError{Op: "listen", Err: syscall.EADDRINUSE}
	for _, c := range []struct {
		name  string
		after time.Duration // when the port is free; none at all if negative
		want  error
	}{
		{"free", 0, nil},
		{"free soon", time.Second, nil},
		{"in use", -1, syscall.EADDRINUSE},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				_, err := bind(t.Context(), portWait, func() (net.Listener, error) {
					if c.after < 0 || time.Since(start) < c.after {
						return nil, busy
					}
					return nil, nil
				})
				if !errors.Is(err, c.want) {
					t.Errorf("error %v, want %v", err, c.want)
				}
			})
		})
	}
	t.Run("another error is no reason to wait", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			_, err := bind(t.Context(), portWait, func() (net.Listener, error) { return nil, syscall.EACCES })
			if !errors.Is(err, syscall.EACCES) || time.Since(start) != 0 {
				t.Errorf("error %v after %v", err, time.Since(start))
			}
		})
	})
}
