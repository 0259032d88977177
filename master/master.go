// Package master is the Mesos master: it registers agents, offers their resources
// to frameworks, and passes tasks and their status on.
//
// Comes in: a listener and a store. Goes out: the HTTP API and the libprocess
// messages of the original's master, on that one listener. The decisions are in
// core (pure), this package has the one goroutine that owns the core, and the edges
// around it: httpapi, peer, registry.
package master

import (
	"context"
	"encoding/binary"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"stoa/internal/libprocess"
	"stoa/internal/mesos/ids"
	"stoa/internal/mesos/mesospb"
	"stoa/master/core"
	"stoa/master/httpapi"
	"stoa/master/peer"
	"stoa/master/registry"

	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/proto"
)

// Master is one master process.
type Master struct {
	cfg       Config
	info      *mesospb.MasterInfo
	transport *libprocess.Transport
	registry  *registry.Registry
	core      *core.Core
	peer      *peer.Peer
	handler   http.Handler

	inbox chan core.Event
	// done is closed when the loop ended: nothing that was sent to it will happen.
	done  chan struct{}
	edges edges
	// snapshot is the last one taken. looks are functions that read the core inside
	// the loop.
	snapshot atomic.Pointer[core.Snapshot]
	looks    chan func(*core.Core)
}

// inboxSize bounds the events that wait for the loop. When it is full, those who
// bring more wait, which holds back peers and HTTP clients.
const inboxSize = 1024

// New makes a master and reads its registry. It accepts nothing before Run, but is
// the owner of the listener from now on: a master that is not run must be closed
// with Close.
func New(ctx context.Context, cfg Config) (*Master, error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	m := &Master{
		cfg:      cfg,
		registry: registry.New(cfg.Store),
		inbox:    make(chan core.Event, inboxSize),
		done:     make(chan struct{}),
		looks:    make(chan func(*core.Core)),
	}
	recovery, err := m.registry.Load(ctx)
	if err != nil {
		cfg.Listener.Close()
		return nil, err
	}
	if err := understood(recovery.Capabilities); err != nil {
		cfg.Listener.Close()
		return nil, err
	}
	m.transport = libprocess.New(libprocess.Config{
		Listener:  cfg.Listener,
		Advertise: cfg.Advertise,
		HTTP:      http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { m.handler.ServeHTTP(w, r) }),
		Logger:    cfg.Logger,
	})
	m.info = masterInfo(m.transport.Address(), cfg)
	policy := cfg.Core
	policy.Master = m.info
	policy.Logger = cfg.Logger
	policy.Authorizer = cfg.Authorizer
	policy.NewUUID = func() []byte { return ids.NewUUID().Bytes() }
	elected := time.Now()
	m.core = core.New(elected, policy, recovery)
	m.handler = httpapi.New(httpapi.Config{
		Snapshot: m.Snapshot,
		Info:     m.info,
		Scheduler: httpapi.Scheduler(httpapi.SchedulerConfig{
			Master:     m,
			MaxBacklog: cfg.MaxStreamBacklog,
			Logger:     cfg.Logger,
		}),
		Teardown:        m.teardown,
		Ask:             m.ask,
		Registry:        m.registry.Document,
		Counters:        m.counters,
		Watch:           m.watch,
		Unwatch:         m.unwatch,
		MaxWatchBacklog: cfg.MaxStreamBacklog,
		Build:           cfg.Build,
		Started:         cfg.Started,
		Elected:         elected,
		Flags:           cfg.Flags,
		Cluster:         cfg.Cluster,
		LogDir:          cfg.LogDir,
		ExternalLogFile: cfg.ExternalLogFile,
		Files:           cfg.Files,
		Verbosity:       cfg.Verbosity,
		SetVerbosity:    cfg.SetVerbosity,
		ReadOnly:        cfg.AuthenticateReadOnly,
		ReadWrite:       cfg.AuthenticateReadWrite,
		Frameworks:      cfg.AuthenticateFrameworks,
		Authorizer:      cfg.Authorizer,

		DisabledEndpoints: cfg.DisabledEndpoints,

		UI:     cfg.UI,
		Logger: cfg.Logger,
	})
	cfg.Logger.Info("master starts", "id", m.info.GetId(), "address", m.transport.Address(),
		"agents_to_return", len(recovery.Agents), "agents_unreachable", len(recovery.Unreachable))
	return m, nil
}

// Info is how this master describes itself to schedulers and agents.
func (m *Master) Info() *mesospb.MasterInfo { return m.info }

// Address is where the master is reached.
func (m *Master) Address() netip.AddrPort { return m.transport.Address() }

// Close ends a master that is not run.
func (m *Master) Close() { m.transport.Close() }

// Run is the master until ctx ends, which is no error, or something fails that it
// cannot go on without: its listener or its store.
func (m *Master) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	m.peer = peer.New(m.transport, m.deliver, m.cfg.AuthenticatePeers, m.cfg.Logger)
	if m.cfg.Whitelist != "" {
		w := &whitelist{path: m.cfg.Whitelist, log: m.cfg.Logger}
		if e := w.look(); e != nil {
			m.inbox <- e // it is the first: no agent is offered before
		}
		group.Go(func() error {
			w.watch(ctx, m.deliver)
			return nil
		})
	}
	group.Go(func() error { return m.transport.Run(ctx) })
	group.Go(func() error {
		m.registry.Run(ctx, func(w core.Written) { m.deliver(w) })
		return nil
	})
	group.Go(func() error {
		defer close(m.done)
		return m.loop(ctx)
	})
	return group.Wait()
}

// deliver queues an event for the loop. It waits while the queue is full and does
// nothing once the loop ended.
func (m *Master) deliver(e core.Event) {
	select {
	case m.inbox <- e:
	case <-m.done:
	}
}

func masterInfo(address netip.AddrPort, cfg Config) *mesospb.MasterInfo {
	hostname := cfg.Hostname
	ip := address.Addr().Unmap()
	if hostname == "" {
		hostname = ip.String()
	}
	four := ip.As4()
	port := proto.Uint32(uint32(address.Port()))
	return &mesospb.MasterInfo{
		Id: proto.String(ids.NewMasterID()),
		// The four bytes of the address, read as a little-endian number.
		Ip:       proto.Uint32(binary.LittleEndian.Uint32(four[:])),
		Port:     port,
		Pid:      proto.String(fmt.Sprintf("%s@%s", peer.Master, address)),
		Hostname: proto.String(hostname),
		Version:  cfg.Build.Version,
		Address: &mesospb.Address{
			Hostname: proto.String(hostname),
			Ip:       proto.String(ip.String()),
			Port:     proto.Int32(int32(address.Port())),
		},
		Domain:       cfg.Domain,
		Capabilities: capabilities(),
	}
}

// capabilities are what this master can do beyond the oldest ones.
func capabilities() []*mesospb.MasterInfo_Capability {
	return []*mesospb.MasterInfo_Capability{
		{Type: mesospb.MasterInfo_Capability_AGENT_UPDATE.Enum()},
		{Type: mesospb.MasterInfo_Capability_AGENT_DRAINING.Enum()},
		{Type: mesospb.MasterInfo_Capability_QUOTA_V2.Enum()},
	}
}

// understood says whether this master understands a registry that demands capabilities.
func understood(demanded []string) error {
	var missing []string
	for _, name := range demanded {
		if !slices.ContainsFunc(capabilities(), func(c *mesospb.MasterInfo_Capability) bool { return c.GetType().String() == name }) {
			missing = append(missing, name)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return fmt.Errorf("Master is missing the following minimum capabilities: %s; start the newer version that wrote the registry of this work directory", strings.Join(missing, ", "))
}
