def format_dt(moment, style):
    assert moment.tzinfo is not None
    return f"<t:{int(moment.timestamp())}:{style}>"
