// Package httpapi is the master's HTTP side: the scheduler API, the operator API and the
// unversioned endpoints, with the paths, statuses and bytes of the original.
//
// Comes in: requests, and snapshots of the core. Goes out: answers; calls that change
// something go to the loop through the functions of Config. Reading never waits for more
// than the loop's next look at its mail: documents are encoded from an immutable
// core.Snapshot, outside the loop.
package httpapi

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"stoa/internal/auth"
	"stoa/internal/files"
	"stoa/internal/httpd"
	"stoa/internal/mesos/internalpb"
	"stoa/internal/mesos/mesospb"
	"stoa/master/core"

	"github.com/gin-gonic/gin"
)

// Config is what the HTTP side needs from the master. Snapshot, Info and Scheduler are
// required.
type Config struct {
	// Snapshot returns the state as it is now or, if that is cheaper, as it was
	// after everything that was answered before the call. Concurrent calls should
	// share one snapshot.
	Snapshot func(context.Context) (*core.Snapshot, error)
	// Info is this master, as it is announced.
	Info *mesospb.MasterInfo
	// Leader is the leading master, nil while there is none. A nil function means
	// that this master leads.
	Leader func() *mesospb.MasterInfo
	// Recovered says whether the registry was read; before that the two API
	// endpoints answer 503. A nil function means yes.
	Recovered func() bool

	// Scheduler serves /api/v1/scheduler once it is known who asks.
	Scheduler gin.HandlerFunc
	// Teardown ends a framework. The result is the answer: a status, and a text
	// for all but 200.
	Teardown func(ctx context.Context, framework string) (status int, text string)
	// Ask gives the core an event that has an answer and waits for it. Nil refuses
	// every call that changes something.
	Ask func(ctx context.Context, event func(core.RequestID) core.Event) (core.Answer, error)
	// Registry reads what is durable, but for the master; nil shows nothing.
	Registry func(context.Context) (*internalpb.Registry, error)

	// Watch opens a stream of news: it returns the state before the first of them. The
	// news come until the stream is closed, from either side; Unwatch says that the
	// operator went away. Nil answers 501.
	Watch   func(ctx context.Context, stream *WatchStream) (core.StreamID, *core.Snapshot, error)
	Unwatch func(id core.StreamID)
	// MaxWatchBacklog is how much news may wait for one operator before the stream is
	// dropped as too slow; 0 is 100,000.
	MaxWatchBacklog int

	// Build is shown by /version and /state.
	Build *mesospb.VersionInfo
	// Started is when the process started, Elected when it became the leader.
	Started, Elected time.Time
	// Flags are all flags that have a value, by name, as text. Cluster, LogDir and
	// ExternalLogFile are those flags' values, empty for none.
	Flags           map[string]string
	Cluster         string
	LogDir          string
	ExternalLogFile string
	// Files holds what /files shows: the master's log as "/master/log", if it is
	// written to a file. Nil shows nothing.
	Files *files.Files

	// Counters are the metrics that are not read off a snapshot, by name; those
	// the original has from the start and this function lacks are shown as 0.
	Counters func() map[string]float64
	// Verbosity reads the log level (0 is normal), SetVerbosity raises it for a while.
	Verbosity    func() int
	SetVerbosity func(level int, d time.Duration)

	// ReadOnly, ReadWrite and Frameworks authenticate the clients of the three realms;
	// nil lets everybody in. Authorizer says what each may see and do; nil allows all.
	ReadOnly, ReadWrite, Frameworks httpd.Authenticator
	Authorizer                      *auth.Authorizer
	// DisabledEndpoints are paths that are switched off (--firewall_rules).
	DisabledEndpoints []string
	// UI serves the web page at "/", "/app", "/assets" and "/static"; nil serves none.
	UI http.Handler

	Logger *slog.Logger
}

// Realms of authentication.
const (
	RealmReadOnly  = "mesos-master-readonly"
	RealmReadWrite = "mesos-master-readwrite"
	RealmScheduler = "mesos-master-scheduler"
)

// New makes the handler of every HTTP request to the master.
func New(config Config) http.Handler {
	s := newServer(config)
	engine := httpd.NewEngine(s.config.Logger)
	engine.NoRoute(s.routes().Serve)
	return engine
}
