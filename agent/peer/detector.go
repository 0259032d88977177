package peer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// Leader is the leading master as far as a detector knows.
type Leader struct {
	// Address is where the process "master" listens; the zero value means that no
	// master leads at the moment.
	Address netip.AddrPort
	// Hostname is the master's own name for itself, if the detector knows it.
	Hostname string
	// Update is true if the master advertises AGENT_UPDATE, that is, accepts a
	// changed AgentInfo at re-registration.
	Update bool
}

// Detector finds the leading master.
type Detector interface {
	// Detect blocks until the leader differs from previous (a nil previous returns
	// the present leader, or no leader, at once) or ctx ends. After an error it is
	// called again a little later.
	Detect(ctx context.Context, previous *Leader) (Leader, error)
}

// lookupTimeout is how long a reverse lookup may hold registration up.
const lookupTimeout = 2 * time.Second

// fixedDetector always gives the one master of --master=host:port.
type fixedDetector struct {
	host string
	port uint16
}

// NewFixed returns a detector that always gives the master at host:port.
func NewFixed(master string) (Detector, error) {
	if master == "" {
		return nil, errors.New("agent: --master is missing: give host:port of the master")
	}
	if strings.HasPrefix(master, "zk://") {
		return nil, fmt.Errorf("agent: --master=%s: no ZooKeeper detector was given", master)
	}
	// The original also takes "master@host:port".
	host, text, err := net.SplitHostPort(strings.TrimPrefix(master, "master@"))
	if err != nil {
		return nil, fmt.Errorf("agent: --master=%s is not host:port: %w", master, err)
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil || port == 0 {
		return nil, fmt.Errorf("agent: --master=%s has no valid port", master)
	}
	return &fixedDetector{host: host, port: uint16(port)}, nil
}

func (d *fixedDetector) Detect(ctx context.Context, previous *Leader) (Leader, error) {
	if previous != nil && previous.Address.IsValid() {
		<-ctx.Done()
		return Leader{}, ctx.Err()
	}
	addresses, err := net.DefaultResolver.LookupNetIP(ctx, "ip4", d.host)
	if err != nil || len(addresses) == 0 {
		return Leader{}, fmt.Errorf("cannot resolve the master's host %q to an IPv4 address (check --master): %w", d.host, err)
	}
	leader := Leader{Address: netip.AddrPortFrom(addresses[0].Unmap(), d.port), Hostname: d.host}
	lookup, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	if names, err := net.DefaultResolver.LookupAddr(lookup, addresses[0].Unmap().String()); err == nil && len(names) > 0 {
		leader.Hostname = strings.TrimSuffix(names[0], ".")
	}
	return leader, nil
}
