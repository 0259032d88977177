package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	"stoa/internal/flags"
	"stoa/internal/store"
	"stoa/marathon"
	"stoa/marathon/level"
)

func runMarathon(ctx context.Context, p process) error {
	if p.packaged {
		pkg, err := flags.MarathonPackage(ctx, "/", p.args, p.environ)
		if err != nil {
			return err
		}
		p.args, p.environ = pkg.Args, pkg.Environ
	}
	v, err := load(marathonFlags(), true, p)
	if err != nil {
		return err
	}
	log, err := newLogging(v, "marathon")
	if err != nil {
		return err
	}
	defer log.done()
	if v.String("zk") != "" && v.String("internal_store_backend") != "mem" {
		return errors.New("--zk: this version keeps its state in --work_dir and can't use ZooKeeper yet; leave --zk out")
	}
	st, err := openStore(v.String("work_dir"), "marathon.db")
	if err != nil {
		return err
	}
	defer st.Close()
	if v.Bool("disable_http") {
		return errors.New("--disable_http: this version serves HTTP only, so nothing would be left to listen on")
	}
	ln, err := listen(ctx, v.String("http_address"), v.Int("http_port"), "http_port")
	if err != nil {
		return err
	}
	cfg, err := marathonConfig(v, st, ln, log)
	if err != nil {
		ln.Close()
		return err
	}
	reportUnread(log.Logger, v)
	s, err := marathon.New(ctx, cfg)
	if err != nil {
		ln.Close()
		return err
	}
	return s.Run(ctx)
}

// openStore opens the embedded store of a daemon below its work directory.
func openStore(dir, name string) (*store.File, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make --work_dir: %w", err)
	}
	return store.OpenFile(filepath.Join(dir, name))
}

func marathonConfig(v *flags.Values, st store.Store, ln net.Listener, log *logging) (marathon.Config, error) {
	var err error
	c := marathon.DefaultConfig()
	c.Store, c.Listener, c.Logger = st, ln, log.Logger
	c.LogLevel = log.level
	c.BuildRef = readBuild().revision
	c.Masters = split(v.String("master"))
	c.Hostname = v.String("hostname")
	if c.Hostname == "" {
		name, err := os.Hostname()
		if err != nil {
			return c, fmt.Errorf("find the host name (or give --hostname): %w", err)
		}
		c.Hostname = name
	}
	c.WebUIURL = v.String("webui_url")
	c.MesosLeaderUIURL = v.String("mesos_leader_ui_url")
	c.FrameworkName = v.String("framework_name")
	c.FailoverTimeout = v.Duration("failover_timeout")
	c.Checkpoint = v.Bool("checkpoint")
	if v.Given("mesos_user") {
		c.MesosUser = v.String("mesos_user")
	}
	c.MesosRole = v.String("mesos_role")
	if err := marathonIdentity(v, log.Logger, &c); err != nil {
		return c, err
	}
	c.Features = split(v.String("enable_features"))
	c.NewGroupEnforceRole = v.String("new_group_enforce_role") == "top"
	c.AcceptedResourceRolesDefault = v.String("accepted_resource_roles_default_behavior")
	c.DefaultNetworkName = v.String("default_network_name")
	c.MesosBridgeName = v.String("mesos_bridge_name")
	c.EnvVarsPrefix = v.String("env_vars_prefix")
	c.Executor = v.String("executor")
	c.LocalPortMin, c.LocalPortMax = v.Int("local_port_min"), v.Int("local_port_max")
	c.TaskLaunchConfirmTimeout = v.Duration("task_launch_confirm_timeout")
	c.TaskLaunchTimeout = v.Duration("task_launch_timeout")
	c.TaskReservationTimeout = v.Duration("task_reservation_timeout")
	c.ReconciliationInitialDelay = v.Duration("reconciliation_initial_delay")
	c.ReconciliationInterval = v.Duration("reconciliation_interval")
	c.ScaleAppsInitialDelay = v.Duration("scale_apps_initial_delay")
	c.ScaleAppsInterval = v.Duration("scale_apps_interval")
	c.TaskLostExpungeInitialDelay = v.Duration("task_lost_expunge_initial_delay")
	c.TaskLostExpungeInterval = v.Duration("task_lost_expunge_interval")
	c.DeclineOfferDuration = v.Duration("decline_offer_duration")
	c.MinReviveOffersInterval = v.Duration("min_revive_offers_interval")
	c.SuppressOffers = v.Bool("suppress_offers")
	c.MaxInstancesPerOffer = v.Int("max_instances_per_offer")
	c.OfferMatchingTimeout = v.Duration("offer_matching_timeout")
	c.LaunchTokens = v.Int("launch_tokens")
	c.LaunchTokenRefreshInterval = v.Duration("launch_token_refresh_interval")
	c.KillChunkSize = v.Int("kill_chunk_size")
	c.KillRetryTimeout = v.Duration("kill_retry_timeout")
	c.MaintenanceMode = v.Bool("maintenance_mode")
	c.Draining = v.Duration("draining_seconds")
	c.GPUSchedulingBehavior = v.String("gpu_scheduling_behavior")
	c.MaxConcurrentHealthChecks = v.Int("max_concurrent_marathon_health_checks")
	c.MaxRunningDeployments = v.Int("max_running_deployments")
	c.MaxQueuedRootGroupUpdates = v.Int("max_queued_root_group_updates")
	c.MaxApps = v.Int("max_apps")
	c.MaxVersions = v.Int("zk_max_versions")
	c.EventStreamMaxOutstanding = v.Int("event_stream_max_outstanding_messages")
	if c.Level, err = level.Parse(v.String("api_compat_level")); err != nil {
		return c, fmt.Errorf("--api_compat_level: %w", err)
	}
	if subscriber := v.String("event_subscriber"); subscriber != "" {
		if subscriber != "http_callback" {
			return c, fmt.Errorf("--event_subscriber=%s: the only event subscriber is http_callback", subscriber)
		}
		c.EventCallbacks = true
		c.EventEndpoints = split(v.String("http_endpoints"))
		c.EventRequestTimeout = v.Duration("http_event_request_timeout")
		c.EventSlowConsumer = v.Duration("http_event_callback_slow_consumer_timeout")
	}
	c.HTTPCredentials, c.HTTPRealm = v.String("http_credentials"), v.String("http_realm")
	c.HTTPCompression = v.Bool("http_compression")
	c.HTTPMaxConcurrentRequests = v.Int("http_max_concurrent_requests")
	c.MetricsPrometheus = v.Bool("metrics_prometheus")
	c.DeprecatedFeatures = split(v.String("deprecated_features"))
	c.AccessControlAllowOrigin = split(v.String("access_control_allow_origin"))
	return c, nil
}

func split(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' })
}
