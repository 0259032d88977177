package marathon

import (
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"stoa/marathon/app"
	"stoa/marathon/httpapi"
)

// handler is the REST API of this service.
func (s *Service) handler() http.Handler {
	cfg := &s.cfg
	deprecated := func(feature string) bool { return slices.Contains(cfg.DeprecatedFeatures, feature) }
	var callbacks httpapi.Callbacks
	if s.callbacks != nil {
		callbacks = s.callbacks
	}
	return httpapi.New(httpapi.Options{
		Callbacks: callbacks,
		Backend:   backend{s},
		Logger:    s.log,
		LeaderURL: "http://" + cfg.hostPort(),
		App: app.Settings{
			DefaultNetworkName:    cfg.DefaultNetworkName,
			MesosBridgeName:       cfg.MesosBridgeName,
			Features:              cfg.Features,
			SanitizeAcceptedRoles: deprecated("sanitize_accepted_resource_roles"),
		},
		Level:             cfg.Level,
		MesosRole:         cfg.MesosRole,
		Credentials:       cfg.HTTPCredentials,
		Realm:             cfg.HTTPRealm,
		NoCompression:     !cfg.HTTPCompression,
		AllowOrigin:       cfg.AccessControlAllowOrigin,
		MaxConcurrent:     int64(cfg.HTTPMaxConcurrentRequests),
		TextPlainTasks:    deprecated("text_plain_tasks"),
		PrometheusMetrics: cfg.MetricsPrometheus,
		LogLevel:          cfg.LogLevel,
		Info:              s.info(),
		UI:                cfg.UI,
	})
}

// info is what /v2/info shows. Values of flags that have no meaning here are those of
// the original.
func (s *Service) info() httpapi.Info {
	cfg := &s.cfg
	port := 0
	if addr, ok := cfg.Listener.Addr().(*net.TCPAddr); ok {
		port = addr.Port
	}
	return httpapi.Info{
		Version:                      cfg.Version,
		BuildRef:                     cfg.BuildRef,
		Checkpoint:                   cfg.Checkpoint,
		DeclineOfferDuration:         cfg.DeclineOfferDuration,
		EnvVarsPrefix:                cfg.EnvVarsPrefix,
		Executor:                     cfg.Executor,
		FailoverTimeout:              cfg.FailoverTimeout,
		FrameworkName:                cfg.FrameworkName,
		HA:                           true,
		Hostname:                     cfg.Hostname,
		LaunchTokens:                 cfg.LaunchTokens,
		LaunchTokenRefreshInterval:   cfg.LaunchTokenRefreshInterval,
		LeaderProxyConnectionTimeout: 5 * time.Second,
		LeaderProxyReadTimeout:       10 * time.Second,
		LocalPortMax:                 cfg.LocalPortMax,
		LocalPortMin:                 cfg.LocalPortMin,
		Master:                       redacted(strings.Join(cfg.Masters, ",")),
		MaxInstancesPerOffer:         cfg.MaxInstancesPerOffer,
		HeartbeatFailureThreshold:    5,
		HeartbeatInterval:            15 * time.Second,
		MesosUser:                    cfg.MesosUser,
		MinReviveOffersInterval:      cfg.MinReviveOffersInterval,
		OfferMatchingTimeout:         cfg.OfferMatchingTimeout,
		OnElectedPrepareTimeout:      3 * time.Minute,
		ReconciliationInitialDelay:   cfg.ReconciliationInitialDelay,
		ReconciliationInterval:       cfg.ReconciliationInterval,
		ScaleAppsInitialDelay:        cfg.ScaleAppsInitialDelay,
		ScaleAppsInterval:            cfg.ScaleAppsInterval,
		StoreCache:                   true,
		TaskLaunchConfirmTimeout:     cfg.TaskLaunchConfirmTimeout,
		TaskLaunchTimeout:            cfg.TaskLaunchTimeout,
		TaskLostExpungeInitialDelay:  cfg.TaskLostExpungeInitialDelay,
		TaskLostExpungeInterval:      cfg.TaskLostExpungeInterval,
		TaskReservationTimeout:       cfg.TaskReservationTimeout,
		WebUIURL:                     cfg.WebUIURL,
		MaintenanceMode:              cfg.MaintenanceMode,
		Zookeeper: httpapi.ZookeeperInfo{
			Compression:          true,
			CompressionThreshold: 64 << 10,
			ConnectionTimeout:    10 * time.Second,
			MaxNodeSize:          1024000,
			MaxVersions:          cfg.MaxVersions,
			SessionTimeout:       10 * time.Second,
			Timeout:              10 * time.Second,
		},
		HTTPPort:  port,
		HTTPSPort: 8443,
	}
}

// redacted hides the credentials of zk://user:password@host URLs.
func redacted(master string) string {
	scheme, rest, ok := strings.Cut(master, "://")
	if !ok {
		return master
	}
	authority, path, _ := strings.Cut(rest, "/")
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		authority = "xxxxxxxx:xxxxxxxx@" + authority[at+1:]
	}
	if path != "" {
		path = "/" + path
	}
	return fmt.Sprintf("%s://%s%s", scheme, authority, path)
}
