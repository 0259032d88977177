package httpapi

import (
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"stoa/marathon/playjson"
)

// Info is what /v2/info shows of the configuration. Strings that are ""
// are shown as null. Names in parentheses are flags; durations are shown in
// milliseconds unless said otherwise.
type Info struct {
	// Version and BuildRef name the program; the client sees "marathon" as its name, and
	// an empty BuildRef as unknown.
	Version, BuildRef string
	Checkpoint        bool
	// DeclineOfferDuration (--decline_offer_duration).
	DeclineOfferDuration time.Duration
	EnvVarsPrefix        string
	Executor             string
	// FailoverTimeout is shown in seconds (--failover_timeout).
	FailoverTimeout              time.Duration
	FrameworkName                string
	HA                           bool
	Hostname                     string
	LaunchTokens                 int
	LaunchTokenRefreshInterval   time.Duration
	LeaderProxyConnectionTimeout time.Duration
	LeaderProxyReadTimeout       time.Duration
	LocalPortMax, LocalPortMin   int
	Master                       string
	MaxInstancesPerOffer         int
	HeartbeatFailureThreshold    int
	HeartbeatInterval            time.Duration
	MesosUser                    string
	MinReviveOffersInterval      time.Duration
	OfferMatchingTimeout         time.Duration
	OnElectedPrepareTimeout      time.Duration
	ReconciliationInitialDelay   time.Duration
	ReconciliationInterval       time.Duration
	ScaleAppsInitialDelay        time.Duration
	ScaleAppsInterval            time.Duration
	StoreCache                   bool
	TaskLaunchConfirmTimeout     time.Duration
	TaskLaunchTimeout            time.Duration
	TaskLostExpungeInitialDelay  time.Duration
	TaskLostExpungeInterval      time.Duration
	TaskReservationTimeout       time.Duration
	WebUIURL                     string
	MaintenanceMode              bool
	Zookeeper                    ZookeeperInfo
	HTTPPort, HTTPSPort          int
}

// ZookeeperInfo is the zookeeper_config of /v2/info. With an embedded store URL is "" and
// shown so.
type ZookeeperInfo struct {
	URL                  string
	Compression          bool
	CompressionThreshold int
	ConnectionTimeout    time.Duration
	MaxNodeSize          int
	MaxVersions          int
	SessionTimeout       time.Duration
	Timeout              time.Duration
}

// nullString writes a key with a string, or with null for "".
func nullString(w *playjson.Writer, key, value string) {
	w.Key(key)
	if value == "" {
		w.Null()
		return
	}
	w.String(value)
}

func millis(w *playjson.Writer, key string, d time.Duration) {
	w.Key(key)
	w.Int(d.Milliseconds())
}

// info is GET /v2/info (api/v2/InfoResource.scala); nulls are written.
func (s *server) info(c *gin.Context) error {
	view, i := s.Backend.Snapshot(), &s.Info
	w := playjson.Writer{Style: playjson.Play}
	w.BeginObject()
	w.StringField("name", "marathon")
	w.StringField("version", i.Version)
	buildRef := i.BuildRef
	if buildRef == "" {
		buildRef = "unknown"
	}
	w.StringField("buildref", buildRef)
	w.BoolField("elected", view.Elected)
	nullString(&w, "leader", view.Leader)
	nullString(&w, "frameworkId", view.FrameworkID)
	w.Key("marathon_config")
	s.writeConfig(&w, view)
	zk := &i.Zookeeper
	w.Key("zookeeper_config")
	w.BeginObject()
	w.StringField("zk", zk.URL)
	w.BoolField("zk_compression", zk.Compression)
	w.IntField("zk_compression_threshold", zk.CompressionThreshold)
	millis(&w, "zk_connection_timeout", zk.ConnectionTimeout)
	w.IntField("zk_max_node_size", zk.MaxNodeSize)
	w.IntField("zk_max_versions", zk.MaxVersions)
	millis(&w, "zk_session_timeout", zk.SessionTimeout)
	millis(&w, "zk_timeout", zk.Timeout)
	w.EndObject()
	w.Key("http_config")
	w.BeginObject()
	w.IntField("http_port", i.HTTPPort)
	w.IntField("https_port", i.HTTPSPort)
	w.EndObject()
	w.EndObject()
	return answer(c, &w)
}

func (s *server) writeConfig(w *playjson.Writer, view *View) {
	i := &s.Info
	w.BeginObject()
	if len(s.AllowOrigin) == 0 {
		w.Key("access_control_allow_origin")
		w.Null()
	} else {
		w.StringsField("access_control_allow_origin", s.AllowOrigin)
	}
	w.BoolField("checkpoint", i.Checkpoint)
	millis(w, "decline_offer_duration", i.DeclineOfferDuration)
	nullString(w, "default_network_name", s.App.DefaultNetworkName)
	nullString(w, "env_vars_prefix", i.EnvVarsPrefix)
	w.StringField("executor", i.Executor)
	w.Key("failover_timeout")
	w.Int(int64(i.FailoverTimeout / time.Second))
	w.StringsField("features", s.App.Features)
	w.StringField("framework_name", i.FrameworkName)
	w.BoolField("ha", i.HA)
	w.StringField("hostname", i.Hostname)
	w.IntField("launch_token", i.LaunchTokens)
	millis(w, "launch_token_refresh_interval", i.LaunchTokenRefreshInterval)
	millis(w, "leader_proxy_connection_timeout_ms", i.LeaderProxyConnectionTimeout)
	millis(w, "leader_proxy_read_timeout_ms", i.LeaderProxyReadTimeout)
	w.IntField("local_port_max", i.LocalPortMax)
	w.IntField("local_port_min", i.LocalPortMin)
	w.StringField("master", i.Master)
	w.IntField("max_instances_per_offer", i.MaxInstancesPerOffer)
	w.StringField("mesos_bridge_name", s.App.MesosBridgeName)
	w.IntField("mesos_heartbeat_failure_threshold", i.HeartbeatFailureThreshold)
	millis(w, "mesos_heartbeat_interval", i.HeartbeatInterval)
	nullString(w, "mesos_leader_ui_url", view.MesosLeaderUIURL)
	w.StringField("mesos_role", s.MesosRole)
	nullString(w, "mesos_user", i.MesosUser)
	enforce := "Off"
	if view.Root.NewGroupEnforceRole {
		enforce = "Top"
	}
	w.StringField("new_group_enforce_role", enforce)
	millis(w, "min_revive_offers_interval", i.MinReviveOffersInterval)
	millis(w, "offer_matching_timeout", i.OfferMatchingTimeout)
	millis(w, "on_elected_prepare_timeout", i.OnElectedPrepareTimeout)
	millis(w, "reconciliation_initial_delay", i.ReconciliationInitialDelay)
	millis(w, "reconciliation_interval", i.ReconciliationInterval)
	millis(w, "scale_apps_initial_delay", i.ScaleAppsInitialDelay)
	millis(w, "scale_apps_interval", i.ScaleAppsInterval)
	w.BoolField("store_cache", i.StoreCache)
	millis(w, "task_launch_confirm_timeout", i.TaskLaunchConfirmTimeout)
	millis(w, "task_launch_timeout", i.TaskLaunchTimeout)
	millis(w, "task_lost_expunge_initial_delay", i.TaskLostExpungeInitialDelay)
	millis(w, "task_lost_expunge_interval", i.TaskLostExpungeInterval)
	millis(w, "task_reservation_timeout", i.TaskReservationTimeout)
	nullString(w, "webui_url", i.WebUIURL)
	w.BoolField("maintenance_mode", i.MaintenanceMode)
	w.EndObject()
}

// leader is GET /v2/leader.
func (s *server) leader(c *gin.Context) error {
	leader := s.Backend.Snapshot().Leader
	if leader == "" {
		return s.messageAndNothing(c, http.StatusNotFound, "There is no leader")
	}
	w := s.newDocument()
	w.BeginObject()
	w.StringField("leader", leader)
	w.EndObject()
	return answer(c, w)
}

// abdicate is DELETE /v2/leader.
func (s *server) abdicate(c *gin.Context) error {
	if !s.Backend.Snapshot().Elected {
		return s.messageAndNothing(c, http.StatusNotFound, "There is no leader")
	}
	for _, parameter := range [...]string{"backup", "restore"} {
		if c.Query(parameter) != "" {
			return illegalArgument("The parameter " + parameter + " needs the ZooKeeper store.")
		}
	}
	if err := s.Backend.Abdicate(c.Request.Context()); err != nil {
		return err
	}
	return s.messageAndNothing(c, http.StatusOK, "Leadership abdicated")
}

// plugins is GET /v2/plugins: there are none.
func (s *server) plugins(c *gin.Context) error {
	w := playjson.Writer{Style: playjson.Play}
	w.BeginObject()
	w.Key("plugins")
	w.BeginArray()
	w.EndArray()
	w.EndObject()
	return answer(c, &w)
}

func (s *server) unknownPlugin(path string) *resource {
	name, _, _ := strings.Cut(path, "/")
	missing := func(c *gin.Context) error {
		return s.messageAndNothing(c, http.StatusNotFound, "No plugin with this pluginId: "+name)
	}
	return &resource{otherwise: missing, anyType: true, anyAnswer: true}
}
