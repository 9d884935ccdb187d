extension ItemState {
    /// The state without what changes under an unchanged change number.
    public var comparable: ItemState {
        var state = self
        state.row.locator = nil
        state.row.indexID = nil
        state.row.flags.remove(.copied)
        state.deletionAnnounced = nil
        state.notBefore = nil
        if row.type == .tag {  // The table `tag` has one number, and no date.
            state.row.modContent = row.modMetadata
            state.row.changeDate = nil
        }
        if row.type.isContainer || row.type == .conversation {
            state.row.size = 0
            state.row.unread = nil
            if row.type == .conversation {
                state.row.metadata = nil
            } else {
                state.updateMetadata { map in
                    for counter in ["sz", "unxt", "mseq", "i4l", "i4r", "i4d", "i4du", "mdver"] { map[counter] = nil }
                }
            }
        }
        return state
    }
}
