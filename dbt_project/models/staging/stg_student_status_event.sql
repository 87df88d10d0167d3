{{ staging('student_status_event') }}
