package app

import "stoa/marathon/playjson"

func (a *App) writeContainer(w *playjson.Writer) {
	container := a.Container
	if container == nil {
		return
	}
	w.Key("container")
	w.BeginObject()
	w.StringField("type", string(container.Type))
	if docker := container.Docker; docker != nil {
		docker.write(w)
	}
	if info := container.LinuxInfo; info != nil {
		info.write(w)
	}
	w.Key("volumes")
	w.BeginArray()
	for i := range container.Volumes {
		container.Volumes[i].write(w)
	}
	w.EndArray()
	if !a.HasHostNetwork() {
		w.Key("portMappings")
		w.BeginArray()
		for i := range container.PortMappings {
			container.PortMappings[i].write(w)
		}
		w.EndArray()
	}
	w.EndObject()
}

func (d *Docker) write(w *playjson.Writer) {
	w.Key("docker")
	w.BeginObject()
	if credential := d.Credential; credential != nil {
		w.Key("credential")
		w.BeginObject()
		w.StringField("principal", credential.Principal)
		optionalString(w, "secret", credential.Secret)
		w.EndObject()
	}
	if d.PullSecret != nil {
		w.Key("pullConfig")
		w.BeginObject()
		w.StringField("secret", *d.PullSecret)
		w.EndObject()
	}
	w.BoolField("forcePullImage", d.ForcePullImage)
	w.StringField("image", d.Image)
	w.Key("parameters")
	w.BeginArray()
	for _, parameter := range d.Parameters {
		w.BeginObject()
		w.StringField("key", parameter.Key)
		w.StringField("value", parameter.Value)
		w.EndObject()
	}
	w.EndArray()
	w.BoolField("privileged", d.Privileged)
	w.EndObject()
}

func (l *LinuxInfo) write(w *playjson.Writer) {
	w.Key("linuxInfo")
	w.BeginObject()
	if seccomp := l.Seccomp; seccomp != nil {
		w.Key("seccomp")
		w.BeginObject()
		optionalString(w, "profileName", seccomp.Profile)
		w.BoolField("unconfined", seccomp.Unconfined)
		w.EndObject()
	}
	if ipc := l.IPC; ipc != nil {
		w.Key("ipcInfo")
		w.BeginObject()
		w.StringField("mode", ipc.Mode)
		optionalInt(w, "shmSize", ipc.ShmSize)
		w.EndObject()
	}
	w.EndObject()
}

func (m *PortMapping) write(w *playjson.Writer) {
	w.BeginObject()
	w.IntField("containerPort", m.ContainerPort)
	optionalInt(w, "hostPort", m.HostPort)
	writeLabels(w, "labels", m.Labels)
	w.OptionalString("name", m.Name)
	w.StringField("protocol", string(m.Protocol))
	w.IntField("servicePort", m.ServicePort)
	if len(m.NetworkNames) > 0 {
		w.StringsField("networkNames", m.NetworkNames)
	}
	w.EndObject()
}

func (v *Volume) write(w *playjson.Writer) {
	w.BeginObject()
	w.StringField("containerPath", v.ContainerPath)
	switch {
	case v.Persistent != nil:
		v.Persistent.write(w)
	case v.External != nil:
		v.External.write(w)
	case v.Secret != nil:
		w.StringField("secret", *v.Secret)
		w.EndObject()
		return
	case v.HostPath != nil:
		w.StringField("hostPath", *v.HostPath)
	}
	mode := "RW"
	if v.ReadOnly {
		mode = "RO"
	}
	w.StringField("mode", mode)
	w.EndObject()
}

func (p *PersistentVolume) write(w *playjson.Writer) {
	w.Key("persistent")
	w.BeginObject()
	w.StringField("type", string(p.Type))
	w.Key("size")
	w.Int(p.Size)
	if p.MaxSize != nil {
		w.Key("maxSize")
		w.Int(*p.MaxSize)
	}
	optionalString(w, "profileName", p.ProfileName)
	writeConstraints(w, p.Constraints, true)
	w.EndObject()
}

func (e *ExternalVolume) write(w *playjson.Writer) {
	w.Key("external")
	w.BeginObject()
	if e.Size != nil {
		w.Key("size")
		w.Int(*e.Size)
	}
	w.StringField("name", e.Name)
	w.StringField("provider", e.Provider)
	if len(e.Options) > 0 {
		writeLabels(w, "options", e.Options)
	}
	w.BoolField("shared", e.Shared)
	w.EndObject()
}
