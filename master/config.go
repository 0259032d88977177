package master

import (
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"time"

	"stoa/internal/auth"
	"stoa/internal/files"
	"stoa/internal/httpd"
	"stoa/internal/mesos/mesospb"
	"stoa/internal/store"
	"stoa/master/core"
	"stoa/master/peer"

	"net/http"
)

// DefaultVersion is the Mesos version this master says it is.
const DefaultVersion = "1.11.0"

// Config is what a master needs. Store and Listener are required; everything else
// has the original's defaults.
type Config struct {
	// Store holds the registry: the agents this master admitted. It is not closed.
	Store store.Store
	// Listener accepts the HTTP API and the libprocess messages (`--ip`, `--port`).
	// The master closes it.
	Listener net.Listener
	// Advertise is the address that agents and schedulers are told (`--advertise_ip`,
	// `--advertise_port`); zero is the listener's.
	Advertise netip.AddrPort
	// Hostname is how this master calls itself (`--hostname`); empty is the address.
	Hostname string
	// Cluster is the cluster's name (`--cluster`), shown at endpoints only.
	Cluster string
	// Domain is the fault domain of this master (`--domain`); nil for none.
	Domain *mesospb.DomainInfo

	// Whitelist is the file with the host names of the agents that may be offered, one
	// a line, read again every five seconds (`--whitelist`); empty offers all agents.
	Whitelist string

	// Core holds the policies: timeouts, limits, roles. Its Master, NewUUID and
	// Logger are filled in here.
	Core core.Config

	// AuthenticateFrameworks, AuthenticateReadOnly and AuthenticateReadWrite
	// authenticate HTTP clients of the three realms; nil lets everyone in.
	AuthenticateFrameworks, AuthenticateReadOnly, AuthenticateReadWrite httpd.Authenticator

	// AuthenticatePeers says which agents and v0 drivers must prove who they are; the
	// zero value lets everyone in.
	AuthenticatePeers peer.Authentication
	// Authorizer says what principals may do and see (--acls); nil allows all.
	Authorizer *auth.Authorizer
	// DisabledEndpoints are paths that are switched off (--firewall_rules).
	DisabledEndpoints []string
	// MaxStreamBacklog is how many events may wait for one scheduler before it is
	// dropped as too slow; zero is 100,000.
	MaxStreamBacklog int

	// Build is what /version shows. Its version is also in MasterInfo; an empty one
	// is DefaultVersion.
	Build *mesospb.VersionInfo
	// Flags are the flags as /flags shows them, by name.
	Flags map[string]string
	// LogDir and ExternalLogFile are those flags' values, empty for none; Files holds
	// what /files shows.
	LogDir, ExternalLogFile string
	Files                   *files.Files
	// UI serves the web page; nil serves none.
	UI http.Handler
	// Started is when the process started; zero is now.
	Started time.Time
	// Verbosity and SetVerbosity read and raise the log level; nil leaves it.
	Verbosity    func() int
	SetVerbosity func(level int, d time.Duration)

	Logger *slog.Logger
}

func (c *Config) complete() error {
	if c.Store == nil {
		return errors.New("master: no store given")
	}
	if c.Listener == nil {
		return errors.New("master: no listener given")
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Started.IsZero() {
		c.Started = time.Now()
	}
	if c.Build == nil {
		c.Build = &mesospb.VersionInfo{}
	}
	if c.Build.GetVersion() == "" {
		version := DefaultVersion
		c.Build.Version = &version
	}
	return nil
}
