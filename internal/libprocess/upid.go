package libprocess

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
)

// UPID names a process: an id that is unique within its operating system process,
// and the IPv4 address and port where that one listens.
// Original: 3rdparty/libprocess/include/process/pid.hpp.
type UPID struct {
	// ID is the process id, for example "master" or "slave(1)".
	ID string
	// Addr is the advertised address. The zero value stands for 0.0.0.0:0.
	Addr netip.AddrPort
}

// Errors of Parse; they are wrapped with the text that was given.
var (
	errNoAt   = errors.New("expected <id>@<ip>:<port>, but there is no '@'")
	errNoPort = errors.New("expected <id>@<ip>:<port>, but there is no ':' after the '@'")
	errHost   = errors.New("the host is not an IPv4 address")
	errPort   = errors.New("the port is not a number from 0 to 65535")
)

var anyAddr = netip.AddrPortFrom(netip.IPv4Unspecified(), 0)

// Parse reads "<id>@<ip>:<port>" the way the original does (src/pid.cpp): surrounding
// white space ends the text, the first '@' and the first ':' after it separate, and
// what follows the digits of the port is ignored. Unlike the original it accepts no
// host names; Resolve does.
func Parse(text string) (UPID, error) {
	u, host, err := split(text)
	if err != nil {
		return UPID{}, fmt.Errorf("parse UPID %q: %w", text, err)
	}
	ip, err := netip.ParseAddr(host)
	if err != nil || !ip.Is4() {
		return UPID{}, fmt.Errorf("parse UPID %q: %w", text, errHost)
	}
	u.Addr = netip.AddrPortFrom(ip, u.Addr.Port())
	return u, nil
}

// Resolve is Parse for texts whose host may be a name: it is looked up, and its first
// IPv4 address counts.
func Resolve(ctx context.Context, text string) (UPID, error) {
	u, host, err := split(text)
	if err != nil {
		return UPID{}, fmt.Errorf("parse UPID %q: %w", text, err)
	}
	if ip, err := netip.ParseAddr(host); err == nil && ip.Is4() {
		u.Addr = netip.AddrPortFrom(ip, u.Addr.Port())
		return u, nil
	}
	if host == "" {
		return UPID{}, fmt.Errorf("parse UPID %q: %w", text, errHost)
	}
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip4", host)
	if err != nil {
		return UPID{}, fmt.Errorf("parse UPID %q: look up the host: %w", text, err)
	}
	if len(ips) == 0 {
		return UPID{}, fmt.Errorf("parse UPID %q: %w", text, errHost)
	}
	u.Addr = netip.AddrPortFrom(ips[0].Unmap(), u.Addr.Port())
	return u, nil
}

// split cuts a UPID text apart. The returned UPID has the id and the port, with the
// any-address in place of the host.
func split(text string) (UPID, string, error) {
	text = strings.TrimLeft(text, " \t\r\n\v\f")
	if end := strings.IndexAny(text, " \t\r\n\v\f"); end >= 0 {
		text = text[:end]
	}
	id, rest, ok := strings.Cut(text, "@")
	if !ok {
		return UPID{}, "", errNoAt
	}
	host, digits, ok := strings.Cut(rest, ":")
	if !ok {
		return UPID{}, "", errNoPort
	}
	port, n := 0, 0
	for n < len(digits) && digits[n] >= '0' && digits[n] <= '9' {
		port = port*10 + int(digits[n]-'0')
		n++
		if port > 65535 {
			return UPID{}, "", errPort
		}
	}
	if n == 0 {
		return UPID{}, "", errPort
	}
	return UPID{ID: id, Addr: netip.AddrPortFrom(netip.IPv4Unspecified(), uint16(port))}, host, nil
}

// String is the wire form. The zero UPID, which stands for "none" in messages, is
// "@0.0.0.0:0".
func (u UPID) String() string {
	return string(u.AppendTo(nil))
}

// AppendTo appends what String returns.
func (u UPID) AppendTo(dst []byte) []byte {
	dst = append(dst, u.ID...)
	dst = append(dst, '@')
	return u.address().AppendTo(dst)
}

// IsZero reports whether u names nothing, which is the original's notion of an
// invalid UPID: no id, no address or no port. Messages to it are dropped.
func (u UPID) IsZero() bool {
	a := u.address()
	return u.ID == "" || a.Addr().IsUnspecified() || a.Port() == 0
}

func (u UPID) address() netip.AddrPort {
	if !u.Addr.Addr().IsValid() {
		return netip.AddrPortFrom(anyAddr.Addr(), u.Addr.Port())
	}
	return u.Addr
}
