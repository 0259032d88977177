package mesos

import (
	"maps"
	"slices"

	"stoa/agent/containerizer"
	"stoa/internal/mesos/mesospb"
)

// defaultPath is the PATH of executors when nothing sets one.
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// environment is that of the executor: the agent's set, then what the container adds, then
// the executor's CommandInfo, which wins.
func (c *Containerizer) environment(spec containerizer.Spec) []string {
	env := maps.Clone(spec.Environment)
	if env == nil {
		env = make(map[string]string)
	}
	if _, ok := env["MESOS_DIRECTORY"]; !ok {
		env["MESOS_DIRECTORY"] = spec.Sandbox
	}
	env["MESOS_SANDBOX"] = spec.Sandbox
	for _, variable := range spec.Executor.GetCommand().GetEnvironment().GetVariables() {
		if variable.GetType() == mesospb.Environment_Variable_SECRET {
			continue
		}
		env[variable.GetName()] = variable.GetValue()
	}
	if _, ok := env["PATH"]; !ok {
		env["PATH"] = defaultPath
	}
	list := make([]string, 0, len(env))
	for _, name := range slices.Sorted(maps.Keys(env)) {
		list = append(list, name+"="+env[name])
	}
	return list
}
