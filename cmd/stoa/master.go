package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"stoa/internal/auth"
	"stoa/internal/files"
	"stoa/internal/flags"
	"stoa/internal/mesos/mesosjson"
	"stoa/internal/mesos/mesospb"
	"stoa/internal/store"
	"stoa/master"
	"stoa/master/core"
)

func runMaster(ctx context.Context, p process) error {
	v, err := load(masterFlags(), false, p)
	if err != nil {
		return err
	}
	log, err := newLogging(v, "mesos-master")
	if err != nil {
		return err
	}
	defer log.done()
	if v.String("zk") != "" {
		return errors.New("--zk: this version leads on its own and can't contend in ZooKeeper yet; leave --zk out")
	}
	if v.String("registry") == "in_memory" {
		return errors.New("--registry=in_memory: this version always keeps the registry in --work_dir; leave --registry out")
	}
	st, err := openStore(v.String("work_dir"), "registry.db")
	if err != nil {
		return err
	}
	defer st.Close()
	network, err := newMesosNetwork(ctx, v)
	if err != nil {
		return err
	}
	cfg, err := masterConfig(ctx, v, st, network, log)
	if err != nil {
		network.listener.Close()
		return err
	}
	reportUnread(log.Logger, v)
	m, err := master.New(ctx, cfg)
	if err != nil {
		network.listener.Close()
		return err
	}
	return m.Run(ctx)
}

func masterConfig(ctx context.Context, v *flags.Values, st store.Store, n mesosNetwork, log *logging) (master.Config, error) {
	c := master.Config{
		Store:           st,
		Listener:        n.listener,
		Advertise:       n.advertise,
		Hostname:        mesosHostname(ctx, v, n.advertise.Addr()),
		Cluster:         v.String("cluster"),
		Core:            masterPolicies(v),
		Build:           readBuild().master(),
		Flags:           settings(v),
		LogDir:          v.String("log_dir"),
		ExternalLogFile: v.String("external_log_file"),
		Files:           files.New(),
		Verbosity:       log.verbosity,
		SetVerbosity:    log.setVerbosity,
		Logger:          log.Logger,
	}
	if err := secureMaster(v, log.Logger, &c); err != nil {
		return c, err
	}
	shown := log.file
	if shown == "" {
		shown = c.ExternalLogFile
	}
	if shown != "" {
		// The name under which the original's web page asks for the log.
		readers := func(principal string) bool {
			return c.Authorizer.Allowed(auth.As(principal), auth.AccessMesosLog, nil)
		}
		if err := c.Files.AttachFor(shown, "/master/log", readers); err != nil {
			return c, fmt.Errorf("show the log: %w", err)
		}
	}
	if text := v.String("domain"); text != "" {
		c.Domain = &mesospb.DomainInfo{}
		if err := mesosjson.Unmarshal([]byte(text), c.Domain, mesosjson.V0); err != nil {
			return c, fmt.Errorf("--domain: %w", err)
		}
	}
	c.Whitelist = whitelistPath(v)
	var err error
	if c.Core.AgentRemovalInterval, err = removalInterval(v.String("agent_removal_rate_limit")); err != nil {
		return c, err
	}
	if c.Core.RecoveryAgentRemovalLimit, err = removalLimit(v.String("recovery_agent_removal_limit")); err != nil {
		return c, err
	}
	if err := allocatorPolicies(v, &c.Core); err != nil {
		return c, err
	}
	if err := rateLimits(v, &c); err != nil {
		return c, err
	}
	c.Core.Weights, err = weights(v.String("weights"))
	return c, err
}

func masterPolicies(v *flags.Values) core.Config {
	c := core.Config{
		AgentPingTimeout:             v.Duration("agent_ping_timeout"),
		MaxAgentPingTimeouts:         v.Int("max_agent_ping_timeouts"),
		AgentReregisterTimeout:       v.Duration("agent_reregister_timeout"),
		AllocationInterval:           v.Duration("allocation_interval"),
		OfferTimeout:                 v.Duration("offer_timeout"),
		RootSubmissions:              v.Bool("root_submissions"),
		FilterGPUResources:           v.Bool("filter_gpu_resources"),
		FairSharingExcludedResources: split(v.String("fair_sharing_excluded_resource_names")),
		RequireAgentDomain:           v.Bool("require_agent_domain"),
		MaxCompletedFrameworks:       bound(v.Int("max_completed_frameworks")),
		MaxCompletedTasks:            bound(v.Int("max_completed_tasks_per_framework")),
		MaxUnreachableTasks:          bound(v.Int("max_unreachable_tasks_per_framework")),
		MaxWatchers:                  bound(v.Int("max_operator_event_stream_subscribers")),
		RegistryGCInterval:           v.Duration("registry_gc_interval"),
		RegistryMaxAgentAge:          v.Duration("registry_max_agent_age"),
		RegistryMaxAgentCount:        v.Int("registry_max_agent_count"),
	}
	if roles := split(v.String("roles")); len(roles) > 0 {
		c.Roles = append(roles, "*")
	}
	return c
}

// bound turns a flag's 0 (keep none) into the core's way of saying so.
func bound(n int) int {
	if n == 0 {
		return -1
	}
	return n
}

// weights reads "role=2,other=0.5".
func weights(text string) (map[string]float64, error) {
	if text == "" {
		return nil, nil
	}
	m := map[string]float64{}
	for _, pair := range strings.Split(text, ",") {
		role, number, ok := strings.Cut(pair, "=")
		w, err := strconv.ParseFloat(number, 64)
		if !ok || role == "" || err != nil || w <= 0 {
			return nil, fmt.Errorf("--weights: %q is not of the form ROLE=WEIGHT with a weight above 0", pair)
		}
		m[role] = w
	}
	return m, nil
}
