package server

// Contents is a checksum of the whole state, of the engine too.
func (m *Machine) Contents() uint64 {
	sum := m.Digest()
	m.mu.Lock()
	defer m.mu.Unlock()
	return sum ^ m.engine.Digest()
}
