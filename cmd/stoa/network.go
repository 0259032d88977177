package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"stoa/internal/flags"
)

// portWait is how long a port may stay in use before that is an error. What a killed agent was
// just forking holds its port until it executes, which takes a while on a busy machine.
const (
	portWait  = 3 * time.Second
	portPause = 10 * time.Millisecond
)

// bind tries for a while to get a port that is in use.
func bind(ctx context.Context, wait time.Duration, try func() (net.Listener, error)) (net.Listener, error) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	for {
		ln, err := try()
		if !errors.Is(err, syscall.EADDRINUSE) {
			return ln, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(portPause):
		}
	}
}

// listen opens the port, or says in one line what is in the way.
func listen(ctx context.Context, ip string, port int, flag string) (net.Listener, error) {
	if port < 0 || port > 65535 {
		return nil, fmt.Errorf("--%s=%d is no port number", flag, port)
	}
	if ip != "" {
		if a, err := netip.ParseAddr(ip); err != nil || !a.Is4() {
			return nil, fmt.Errorf("%q is no IPv4 address to listen on", ip)
		}
	}
	ln, err := bind(ctx, portWait, func() (net.Listener, error) {
		var lc net.ListenConfig
		return lc.Listen(ctx, "tcp4", net.JoinHostPort(ip, strconv.Itoa(port)))
	})
	switch {
	case err == nil:
		return ln, nil
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("port %d is in use: stop what listens there or choose another with --%s", port, flag)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return nil, fmt.Errorf("%s is no address of this machine: choose another with --ip", ip)
	case errors.Is(err, syscall.EACCES):
		return nil, fmt.Errorf("port %d may only be opened by root: choose another with --%s", port, flag)
	}
	return nil, fmt.Errorf("listen on port %d: %w", port, err)
}

// mesosNetwork is the outcome of --ip, --ip_discovery_command, --port and --advertise_*.
type mesosNetwork struct {
	listener  net.Listener
	advertise netip.AddrPort
}

func newMesosNetwork(ctx context.Context, v *flags.Values) (mesosNetwork, error) {
	var n mesosNetwork
	ip := v.String("ip")
	if command := v.String("ip_discovery_command"); command != "" {
		if ip != "" {
			return n, errors.New("Only one of `--ip` or `--ip_discovery_command` should be specified")
		}
		// The flag holds a shell command by definition.
		out, err := exec.CommandContext(ctx, "/bin/sh", "-c", command).Output()
		if err != nil {
			return n, fmt.Errorf("--ip_discovery_command: %w", err)
		}
		ip = strings.TrimSpace(string(out))
	}
	ln, err := listen(ctx, ip, v.Int("port"), "port")
	if err != nil {
		return n, err
	}
	n.listener = ln
	n.advertise, err = advertised(ctx, v, ln)
	if err != nil {
		ln.Close()
		return n, err
	}
	return n, nil
}

// advertised is the address that goes into UPIDs: every peer connects to it.
func advertised(ctx context.Context, v *flags.Values, ln net.Listener) (netip.AddrPort, error) {
	own := ln.Addr().(*net.TCPAddr).AddrPort()
	addr, port := own.Addr().Unmap(), own.Port()
	if text := v.String("advertise_ip"); text != "" {
		a, err := netip.ParseAddr(text)
		if err != nil || !a.Is4() {
			return netip.AddrPort{}, fmt.Errorf("--advertise_ip=%s is no IPv4 address", text)
		}
		addr = a
	}
	if text := v.String("advertise_port"); text != "" {
		p, err := strconv.ParseUint(text, 10, 16)
		if err != nil {
			return netip.AddrPort{}, fmt.Errorf("--advertise_port=%s is no port number", text)
		}
		port = uint16(p)
	}
	if addr.IsUnspecified() {
		addr = machineAddress(ctx)
	}
	return netip.AddrPortFrom(addr, port), nil
}

// machineAddress is the address of the host name unless that leads back to this
// machine only (Debian's 127.0.1.1), then the first one of an interface.
func machineAddress(ctx context.Context) netip.Addr {
	if name, err := os.Hostname(); err == nil {
		addrs, _ := net.DefaultResolver.LookupNetIP(ctx, "ip4", name)
		for _, a := range addrs {
			if a = a.Unmap(); !a.IsLoopback() {
				return a
			}
		}
	}
	ifaces, _ := net.InterfaceAddrs()
	for _, i := range ifaces {
		if n, ok := i.(*net.IPNet); ok {
			if a, ok := netip.AddrFromSlice(n.IP); ok && a.Unmap().Is4() && a.Unmap().IsGlobalUnicast() {
				return a.Unmap()
			}
		}
	}
	return netip.AddrFrom4([4]byte{127, 0, 0, 1})
}

// mesosHostname follows --hostname and --hostname_lookup.
func mesosHostname(ctx context.Context, v *flags.Values, at netip.Addr) string {
	if name := v.String("hostname"); name != "" {
		return name
	}
	if !v.Bool("hostname_lookup") {
		return at.String()
	}
	if names, err := net.DefaultResolver.LookupAddr(ctx, at.String()); err == nil && len(names) > 0 {
		return strings.TrimSuffix(names[0], ".")
	}
	if name, err := os.Hostname(); err == nil && !at.IsLoopback() {
		return name
	}
	return at.String()
}
