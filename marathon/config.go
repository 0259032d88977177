package marathon

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"time"

	"stoa/internal/store"
	"stoa/marathon/level"
)

// Config is everything Marathon needs to run. Names in parentheses are the flags of the
// original, whose defaults [DefaultConfig] holds. Fields without a flag must be set by
// whoever starts Marathon.
type Config struct {
	// Store keeps the durable state. New does not take it over: close it after Run
	// has returned.
	Store store.Store
	// Listener serves the HTTP API; Run closes it.
	Listener net.Listener
	// Logger receives everything worth telling; nil discards it.
	Logger *slog.Logger
	// LogLevel is what POST /logging changes; nil refuses it.
	LogLevel *slog.LevelVar
	// UI serves /ui/; nil serves nothing there.
	UI http.Handler
	// Version and BuildRef are what /v2/info shows of the program; the version of the
	// original is kept by default, because clients look at it.
	Version  string
	BuildRef string

	// Masters are the Mesos masters to try, as host:port or http(s) URLs (--master).
	Masters []string
	// Hostname is announced to Mesos and is part of the leader's name (--hostname).
	Hostname string
	// WebUIURL is announced to Mesos; empty means http://<Hostname>:<port> (--webui_url).
	WebUIURL string
	// MesosLeaderUIURL is where people find the master's pages; empty means the
	// master's own address (--mesos_leader_ui_url).
	MesosLeaderUIURL string
	// FrameworkName is the name shown by Mesos (--framework_name).
	FrameworkName string
	// FailoverTimeout is how long Mesos keeps the tasks while Marathon is away
	// (--failover_timeout).
	FailoverTimeout time.Duration
	// Checkpoint lets tasks survive a restart of the agent (--checkpoint).
	Checkpoint bool
	// MesosUser is the user that tasks run as when the app names none (--mesos_user).
	MesosUser string
	// MesosRole is the default role (--mesos_role).
	MesosRole string
	// Principal and Secret authenticate Marathon with the master; an empty Secret only
	// names the principal (--mesos_authentication_principal, --mesos_authentication_secret).
	Principal string
	Secret    string
	// Features are the enabled optional features (--enable_features): task_killing,
	// gpu_resources, external_volumes, secrets, vips.
	Features []string
	// DeprecatedFeatures are old behaviours that are wanted still (--deprecated_features):
	// text_plain_tasks, sanitize_accepted_resource_roles.
	DeprecatedFeatures []string
	// NewGroupEnforceRole makes new top-level groups enforce their role
	// (--new_group_enforce_role top).
	NewGroupEnforceRole bool
	// AcceptedResourceRolesDefault is any, unreserved or reserved: what an app without
	// acceptedResourceRoles takes (--accepted_resource_roles_default_behavior).
	AcceptedResourceRolesDefault string
	// DefaultNetworkName is given to container networks without a name
	// (--default_network_name).
	DefaultNetworkName string
	// MesosBridgeName is the network of bridge mode in the Mesos containerizer
	// (--mesos_bridge_name).
	MesosBridgeName string
	// EnvVarsPrefix is put before PORT*, PORTS and HOST (--env_vars_prefix).
	EnvVarsPrefix string
	// Executor is the default executor (--executor).
	Executor string
	// LocalPortMin and LocalPortMax bound the service ports that are assigned
	// automatically (--local_port_min, --local_port_max).
	LocalPortMin int
	LocalPortMax int

	// TaskLaunchConfirmTimeout is how long a launched task may stay unheard of before
	// it is killed (--task_launch_confirm_timeout).
	TaskLaunchConfirmTimeout time.Duration
	// TaskLaunchTimeout is how long a task may take from staging to running
	// (--task_launch_timeout).
	TaskLaunchTimeout time.Duration
	// TaskReservationTimeout is shown by /v2/info (--task_reservation_timeout).
	TaskReservationTimeout time.Duration
	// ReconciliationInitialDelay and ReconciliationInterval pace the comparison of all
	// tasks with the master (--reconciliation_initial_delay, --reconciliation_interval).
	// The first one is also made at once on every connection.
	ReconciliationInitialDelay time.Duration
	ReconciliationInterval     time.Duration
	// ScaleAppsInitialDelay and ScaleAppsInterval pace the comparison of all apps with
	// their instance counts, which is also made at once whenever an instance ends
	// (--scale_apps_initial_delay, --scale_apps_interval).
	ScaleAppsInitialDelay time.Duration
	ScaleAppsInterval     time.Duration
	// TaskLostExpungeInitialDelay and TaskLostExpungeInterval are shown by /v2/info;
	// unreachable instances are expunged when their time has come
	// (--task_lost_expunge_initial_delay, --task_lost_expunge_interval).
	TaskLostExpungeInitialDelay time.Duration
	TaskLostExpungeInterval     time.Duration
	// DeclineOfferDuration is how long the master keeps a declined offer away; new
	// demand revives it at once (--decline_offer_duration).
	DeclineOfferDuration time.Duration
	// MinReviveOffersInterval is the shortest time between two calls that ask for
	// offers again without new demand (--min_revive_offers_interval).
	MinReviveOffersInterval time.Duration
	// SuppressOffers tells the master when no offers are wanted (--suppress_offers).
	SuppressOffers bool
	// MaxInstancesPerOffer bounds how many instances are launched from one offer;
	// (--max_instances_per_offer).
	MaxInstancesPerOffer int
	// OfferMatchingTimeout, LaunchTokens and LaunchTokenRefreshInterval are shown by
	// /v2/info: matching takes microseconds here and needs no brake
	// (--offer_matching_timeout, --launch_tokens, --launch_token_refresh_interval).
	OfferMatchingTimeout       time.Duration
	LaunchTokens               int
	LaunchTokenRefreshInterval time.Duration
	// KillChunkSize bounds the kills in flight, KillRetryTimeout is when an unanswered
	// one is sent again (--kill_chunk_size, --kill_retry_timeout).
	KillChunkSize    int
	KillRetryTimeout time.Duration
	// MaintenanceMode refuses offers of agents whose maintenance has begun, or begins
	// within DrainingSeconds (--maintenance_mode, --draining_seconds).
	MaintenanceMode bool
	Draining        time.Duration
	// GPUSchedulingBehavior is restricted or unrestricted: whether apps without GPUs
	// may use agents with GPUs (--gpu_scheduling_behavior).
	GPUSchedulingBehavior string
	// MaxConcurrentHealthChecks bounds the health checks in flight
	// (--max_concurrent_marathon_health_checks).
	MaxConcurrentHealthChecks int
	// MaxRunningDeployments is the count at which further changes are refused
	// (--max_running_deployments).
	MaxRunningDeployments int
	// MaxQueuedRootGroupUpdates bounds the changes waiting for their turn
	// (--max_queued_root_group_updates).
	MaxQueuedRootGroupUpdates int
	// MaxApps bounds the number of apps; 0 is unlimited (--max_apps).
	MaxApps int
	// MaxVersions is how many versions of an app are kept (--zk_max_versions).
	MaxVersions int
	// EventStreamMaxOutstanding is how many events may wait for one subscriber before
	// its stream is closed (--event_stream_max_outstanding_messages).
	EventStreamMaxOutstanding int
	// Level is the release for whose clients answers and events are written
	// (--api_compat_level); requests of all releases are understood at every level.
	Level level.Level
	// EventCallbacks POSTs every event to the URLs of /v2/eventSubscriptions, as releases
	// up to 1.4 did (--event_subscriber http_callback).
	EventCallbacks bool
	// EventEndpoints are subscribed at the start (--http_endpoints).
	EventEndpoints []string
	// EventRequestTimeout bounds one such POST, and EventSlowConsumer is when even a good
	// answer to it comes too late; 0 means 10 s (--http_event_request_timeout,
	// --http_event_callback_slow_consumer_timeout).
	EventRequestTimeout time.Duration
	EventSlowConsumer   time.Duration

	// HTTPCredentials is user:password for basic authentication, empty for none
	// (--http_credentials); HTTPRealm is the realm it names (--http_realm).
	HTTPCredentials string
	HTTPRealm       string
	// HTTPCompression gzips answers for clients that accept it (--http_compression).
	HTTPCompression bool
	// HTTPMaxConcurrentRequests bounds the requests in flight; 0 is no bound
	// (--http_max_concurrent_requests).
	HTTPMaxConcurrentRequests int
	// MetricsPrometheus serves /metrics/prometheus (--metrics_prometheus).
	MetricsPrometheus bool
	// AccessControlAllowOrigin lists the origins of CORS answers
	// (--access_control_allow_origin).
	AccessControlAllowOrigin []string
}

// DefaultConfig has the original's default for every flag, except that an offer may
// launch more than 5 instances. Store, Listener, Logger and Masters are left to the
// caller.
func DefaultConfig() Config {
	return Config{
		FrameworkName:                "marathon",
		FailoverTimeout:              604800 * time.Second,
		Checkpoint:                   true,
		MesosUser:                    "root",
		MesosRole:                    "*",
		AcceptedResourceRolesDefault: "any",
		MesosBridgeName:              "mesos-bridge",
		Executor:                     "//cmd",
		LocalPortMin:                 10000,
		LocalPortMax:                 20000,
		TaskLaunchConfirmTimeout:     5 * time.Minute,
		TaskLaunchTimeout:            5 * time.Minute,
		TaskReservationTimeout:       20 * time.Second,
		ReconciliationInitialDelay:   15 * time.Second,
		ReconciliationInterval:       10 * time.Minute,
		ScaleAppsInitialDelay:        15 * time.Second,
		ScaleAppsInterval:            5 * time.Minute,
		TaskLostExpungeInitialDelay:  5 * time.Minute,
		TaskLostExpungeInterval:      30 * time.Second,
		DeclineOfferDuration:         2 * time.Minute,
		MinReviveOffersInterval:      5 * time.Second,
		SuppressOffers:               true,
		MaxInstancesPerOffer:         100,
		OfferMatchingTimeout:         3 * time.Second,
		LaunchTokens:                 100,
		LaunchTokenRefreshInterval:   30 * time.Second,
		KillChunkSize:                100,
		KillRetryTimeout:             30 * time.Second,
		MaintenanceMode:              true,
		GPUSchedulingBehavior:        "restricted",
		MaxConcurrentHealthChecks:    256,
		MaxRunningDeployments:        100,
		MaxQueuedRootGroupUpdates:    500,
		MaxVersions:                  50,
		EventStreamMaxOutstanding:    1024,
		HTTPRealm:                    "Mesosphere",
		HTTPCompression:              true,
		MetricsPrometheus:            true,
		Version:                      "1.10.26",
	}
}

// check refuses a configuration that cannot work, saying what to do.
func (c *Config) check() error {
	switch {
	case c.Store == nil:
		return errors.New("marathon: no store given")
	case c.Listener == nil:
		return errors.New("marathon: no listener given")
	case len(c.Masters) == 0:
		return errors.New("marathon: no Mesos master given; set --master to its host:port")
	case c.LocalPortMin >= c.LocalPortMax:
		return fmt.Errorf("marathon: --local_port_min %d must be below --local_port_max %d",
			c.LocalPortMin, c.LocalPortMax)
	case c.AcceptedResourceRolesDefault != "any" && c.AcceptedResourceRolesDefault != "unreserved" &&
		c.AcceptedResourceRolesDefault != "reserved":
		return fmt.Errorf("marathon: --accepted_resource_roles_default_behavior %q is none of any, unreserved, reserved",
			c.AcceptedResourceRolesDefault)
	case c.GPUSchedulingBehavior != "restricted" && c.GPUSchedulingBehavior != "unrestricted":
		return fmt.Errorf("marathon: --gpu_scheduling_behavior %q is neither restricted nor unrestricted",
			c.GPUSchedulingBehavior)
	}
	return nil
}

// webUIURL is the announced URL.
func (c *Config) webUIURL() string {
	if c.WebUIURL != "" {
		return c.WebUIURL
	}
	return "http://" + c.hostPort()
}

// hostPort is <hostname>:<port>, the name of this process as /v2/leader shows it.
func (c *Config) hostPort() string {
	port := 8080
	if addr, ok := c.Listener.Addr().(*net.TCPAddr); ok {
		port = addr.Port
	}
	return net.JoinHostPort(c.Hostname, strconv.Itoa(port))
}
