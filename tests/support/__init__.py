"""What several tests make or start: boards, commands, pictures, networks, nights and rows."""
